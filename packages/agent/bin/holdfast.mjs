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
const { main } = await import('../src/main.ts');
await main();
