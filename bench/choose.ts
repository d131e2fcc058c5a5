/** Which rows and works a command line asks for. Pure. */
import { ROW_IDS, type RowId } from './rows.ts';
import type { Work } from './work.ts';

export type Wish = {
  /** Names of rows or works; empty: all but those that a flag asks for. */
  readonly only: readonly string[];
  readonly all: boolean;
  readonly million: boolean;
  readonly growth: boolean;
  readonly hasTree: boolean;
};

export type Choice = {
  readonly works: readonly Work[];
  readonly rows: ReadonlySet<RowId>;
  /** Why some of what was named is not done. */
  readonly refused: readonly string[];
};

export function choose(works: readonly Work[], wish: Wish): Choice {
  const { only, all, hasTree } = wish;
  const unknown = only.filter((name) => !works.some((work) => work.name === name || isRowOf(work, name)));
  const named = works.filter((work) => only.includes(work.name) || work.rows.some((row) => only.includes(row)));
  const usual = works.filter(({ onlyFor }) => onlyFor === null || all || wish[onlyFor]);
  const wanted = only.length > 0 ? named : usual;
  const chosen = wanted.filter(({ needsTree }) => hasTree || !needsTree);
  const treeless = wanted.filter((work) => !chosen.includes(work));
  const isWanted = (work: Work, row: RowId) => only.length === 0 || only.includes(work.name) || only.includes(row);
  return {
    works: chosen,
    rows: new Set(chosen.flatMap((work) => work.rows.filter((row) => isWanted(work, row)))),
    refused: [
      ...unknown.map((name) => `there is no row or work "${name}"; there is ${ROW_IDS.join(', ')}`),
      ...treeless.map(({ name }) => `${name} needs --tree DIR`),
    ],
  };
}

const isRowOf = (work: Work, name: string): boolean => work.rows.some((row) => row === name);
