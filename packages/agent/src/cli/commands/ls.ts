import type { TreeEntry } from '@holdfast/archive/format/tree.ts';
import { lookup } from '@holdfast/archive/restore/lookup.ts';
import { joinPath } from '@holdfast/archive/restore/path.ts';
import type { SessionReader } from '@holdfast/archive/restore/session-reader.ts';
import { pathOf, walkTree } from '@holdfast/archive/restore/walk.ts';
import { showPath } from '@holdfast/archive/source/paths.ts';
import type { Point } from '../../archive/choose.ts';
import { readListing } from '../../archive/listing.ts';
import { shownPath } from '../../archive/shown-path.ts';
import { formatTime } from '../../archive/time.ts';
import { openArchive, pointsFor, unknownPath, withReader } from '../archive-access.ts';
import { type CommandModule, isSet } from '../command.ts';
import type { Context } from '../context.ts';
import { entryDocument, entryLine } from '../entry-lines.ts';
import { EXIT } from '../exit-codes.ts';

/** `name`: a path, or with one folder listed the name in it. */
type Listed = { readonly name: string; readonly path: Uint8Array; readonly entry: TreeEntry };
type Options = { readonly includeGone: boolean; readonly recursive: boolean };

export const run: CommandModule['run'] = async (context, input) => {
  const archive = await openArchive(context, input);
  try {
    const { points, exit, refusals } = await pointsFor(context, input, archive, input.arguments);
    const options = { includeGone: isSet(input, 'deleted'), recursive: isSet(input, 'recursive') };
    const documents: object[] = [];
    let damaged = 0;
    await withReader(archive, async (reader) => {
      for (const point of points) {
        if (points.length > 1) heading(context, point);
        const entries: object[] = [];
        for await (const listed of list(reader, point, options, context.signal)) {
          if (listed === null) damaged++;
          else {
            context.out.line(entryLine(listed.name, listed.entry, context.clock.zone));
            if (context.out.json) entries.push(entryDocument(listed.path, listed.entry));
          }
        }
        documents.push({ snapshot: point.snapshot.id, at: point.snapshot.at, set: point.snapshot.set.name, entries });
      }
    });
    const document = documents.length === 1 ? documents[0]! : { points: documents };
    context.out.result({ ...document, ...refusals }, () => {});
    if (damaged > 0) context.out.note(`${damaged} folders could not be read: \`holdfast check\` says more.`);
    return damaged > 0 ? EXIT.damaged : exit;
  } finally {
    archive.close();
  }
};

function heading({ out, clock }: Context, { snapshot }: Point): void {
  out.line(`${snapshot.set.name} on ${snapshot.device.name}, ${formatTime(snapshot.at, clock.zone)}:`);
}

/** `null` stands for a folder that cannot be read. */
async function* list(
  reader: SessionReader,
  { snapshot, paths }: Point,
  options: Options,
  signal: AbortSignal,
): AsyncGenerator<Listed | null> {
  const [path = ''] = paths;
  if (path === '') {
    yield* listTree(reader, snapshot.root, new Uint8Array(0), options, signal);
    return;
  }
  const entry = await lookup(reader, snapshot.root, path, { includeGone: options.includeGone, signal });
  if (entry === null) throw unknownPath(path);
  const bytes = Buffer.from(path);
  if (entry.tree === undefined) yield { name: shownPath(bytes), path: bytes, entry };
  else yield* listTree(reader, entry.tree, bytes, options, signal);
}

async function* listTree(
  reader: SessionReader,
  tree: Uint8Array,
  above: Uint8Array,
  { includeGone, recursive }: Options,
  signal: AbortSignal,
): AsyncGenerator<Listed | null> {
  if (!recursive) {
    for (const entry of await readListing(reader, tree, includeGone, signal)) {
      yield { name: showPath(entry.name), path: joinPath(above, entry.name), entry };
    }
    return;
  }
  for await (const item of walkTree(reader, tree, { includeGone, signal })) {
    if (item.kind === 'damaged') yield null;
    if (item.kind !== 'entry' && item.kind !== 'enter') continue;
    const entry = item.kind === 'entry' ? item.entry : item.directory.entry;
    if (entry === null) continue;
    const below = item.kind === 'entry' ? pathOf(item.directory, entry) : pathOf(item.directory);
    const path = joinPath(above, below);
    yield { name: shownPath(path), path, entry };
  }
}
