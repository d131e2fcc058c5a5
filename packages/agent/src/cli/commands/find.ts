import { find } from '@holdfast/archive/restore/find.ts';
import { showPath } from '@holdfast/archive/source/paths.ts';
import picomatch from 'picomatch';
import { snapshotPath } from '../../archive/paths.ts';
import { shownPath } from '../../archive/shown-path.ts';
import { formatTime } from '../../archive/time.ts';
import { AgentError } from '../../errors.ts';
import { openArchive, pointsFor, withReader } from '../archive-access.ts';
import { type CommandModule, isSet } from '../command.ts';
import type { Context } from '../context.ts';
import { entryDocument, entryLine } from '../entry-lines.ts';
import { EXIT } from '../exit-codes.ts';

export const run: CommandModule['run'] = async (context, input) => {
  const matches = matcher(input.arguments[0] ?? '', context);
  const archive = await openArchive(context, input);
  try {
    const { points, exit, refusals } = await pointsFor(context, input, archive, []);
    const documents: object[] = [];
    let found = 0;
    let damaged = 0;
    await withReader(archive, async (reader) => {
      for (const { snapshot } of points) {
        if (points.length > 1) {
          context.out.line(
            `${snapshot.set.name} on ${snapshot.device.name}, ${formatTime(snapshot.at, context.clock.zone)}:`,
          );
        }
        const entries: object[] = [];
        const options = { includeGone: isSet(input, 'deleted'), signal: context.signal };
        for await (const item of find(reader, snapshot.root, (path) => matches(showPath(path)), options)) {
          if (item.kind === 'damaged') damaged++;
          else {
            found++;
            context.out.line(entryLine(shownPath(item.path), item.entry, context.clock.zone));
            if (context.out.json) entries.push(entryDocument(item.path, item.entry));
          }
        }
        documents.push({ snapshot: snapshot.id, at: snapshot.at, set: snapshot.set.name, entries });
      }
    });
    const document = documents.length === 1 ? documents[0]! : { points: documents };
    context.out.result({ ...document, ...refusals }, () => {
      if (found === 0) context.out.note('Nothing of this name. It may have been deleted: try --deleted, or --at.');
    });
    if (damaged > 0) context.out.note(`${damaged} folders could not be read: \`holdfast check\` says more.`);
    return damaged > 0 ? EXIT.damaged : exit;
  } finally {
    archive.close();
  }
};

/** Without a slash: a name anywhere. With one: a path, from the root, the home or where one stands. */
function matcher(pattern: string, { cwd, config }: Context): (path: string) => boolean {
  if (pattern === '') throw new AgentError('glob_invalid', { what: 'An empty pattern' });
  const options = { dot: true, nocase: config.platform !== 'linux', posix: true };
  if (!pattern.includes('/')) {
    const isName = picomatch(pattern, options);
    return (path) => isName(path.slice(path.lastIndexOf('/') + 1));
  }
  return picomatch(pattern.startsWith('**') ? pattern : snapshotPath(pattern, cwd, config), options);
}
