#!/usr/bin/env node
// Plain JavaScript in old syntax: this file must still speak when the Node that starts it is too old for the rest.
const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  console.error(
    `holdfast needs Node 26 or newer, but this is Node ${process.versions.node} (${process.execPath}).\n` +
      'The project brings its own Node: run "npm ci" in the project folder, then "npx holdfast ...".',
  );
  process.exit(1);
}
keepCompiled();
const { main } = await import('../src/main.ts');
await main();

/**
 * The next start loads what this one compiles. Whoever can write there decides what the program does, so the folder is the
 * user's own below a home of the user's own: not Node's default, which lies in the shared temporary folder, and nothing of a
 * user's for root who kept that user's HOME. Where there is none, each start compiles.
 */
function keepCompiled() {
  const { enableCompileCache, getCompileCacheDir } = process.getBuiltinModule('node:module');
  if (getCompileCacheDir() !== undefined) return; // NODE_COMPILE_CACHE decides
  const { lstatSync, mkdirSync } = process.getBuiltinModule('node:fs');
  const home = process.getBuiltinModule('node:os').homedir();
  const caches = { win32: 'AppData/Local/Holdfast', darwin: 'Library/Caches/Holdfast' }[process.platform];
  const folder = `${home}/${caches ?? '.cache/holdfast'}/code`;
  const isOwn = (path) => {
    const { uid, mode } = lstatSync(path);
    return process.getuid === undefined || (uid === process.getuid() && (mode & 0o170022) === 0o040000);
  };
  try {
    if (!isOwn(home)) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOwn(folder)) return;
    enableCompileCache(folder);
    trimCompiled(folder, getCompileCacheDir());
  } catch {
    // No home, or one that cannot be written to: everything works without
  }
}

/**
 * What other versions of Node or of this program left there is read by nobody and grows with each of them: once a day all that was
 * written a month ago goes. What is still in use is compiled again.
 */
function trimCompiled(folder, current) {
  const { readdirSync, rmSync, rmdirSync, statSync, writeFileSync } = process.getBuiltinModule('node:fs');
  const DAY_MS = 86400000;
  const ageOf = (path) => {
    const entry = statSync(path, { throwIfNoEntry: false });
    return entry === undefined ? Infinity : Date.now() - entry.mtimeMs;
  };
  const trimmed = `${folder}/trimmed`;
  const age = ageOf(trimmed);
  if (age >= 0 && age < DAY_MS) return;
  writeFileSync(trimmed, '');
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const version = `${folder}/${entry.name}`;
    const files = readdirSync(version);
    const old = files.filter((file) => ageOf(`${version}/${file}`) > 30 * DAY_MS);
    for (const file of old) rmSync(`${version}/${file}`, { force: true });
    if (old.length === files.length && !current.endsWith(entry.name)) rmdirSync(version);
  }
}
