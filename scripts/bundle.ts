/**
 * `node scripts/bundle.ts OUT`: the two programs as plain JavaScript, each in a folder that needs nothing beside it but Node.
 *
 *     OUT/agent/bin/holdfast.mjs           OUT/server/bin/holdfast-server.mjs
 *     OUT/agent/lib/*.cjs                  OUT/server/lib/*.cjs
 *     OUT/agent/node_modules/koffi         the one part that is not JavaScript, for this system
 *
 * All that is loaded on demand in the source is a chunk of its own here, so that a command reads only what it needs. All chunks lie
 * in one folder: a file that the source names relative to itself, `new URL('./worker.ts', import.meta.url)`, is found there.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type OutputChunk, type Plugin, rolldown } from 'rolldown';
import { type Programs, ROOT } from './processes.ts';

/** Replaces what lies in `out`. */
export async function bundle(out: string): Promise<Programs> {
  return {
    holdfast: await bundleProgram('agent', 'holdfast.mjs', join(out, 'agent')),
    holdfastServer: await bundleProgram('server', 'holdfast-server.mjs', join(out, 'server')),
  };
}

async function bundleProgram(name: string, bin: string, out: string): Promise<string> {
  const source = join(ROOT, 'packages', name);
  const build = await rolldown({
    input: { main: join(source, 'src/main.ts') },
    platform: 'node',
    external: OPTIONAL,
    plugins: [filesBesideTheSource(), withoutChildProcesses()],
  });
  rmSync(out, { recursive: true, force: true });
  const { output } = await build.write({
    dir: join(out, 'lib'),
    format: 'cjs',
    codeSplitting: { groups: [{ name: 'start', test: FIRST_NEEDED }] },
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
  });
  await build.close();
  mkdirSync(join(out, 'bin'));
  writeFileSync(join(out, 'bin', bin), pointToBundle(readFileSync(join(source, 'bin', bin), 'utf8')));
  const chunks = output.filter((part): part is OutputChunk => part.type === 'chunk');
  if (chunks.some(({ code }) => code.includes('("koffi")'))) copyKoffi(join(out, 'node_modules'));
  return join(out, 'bin', bin);
}

/** With all that they import, one file: reading twenty small ones takes longer than what is in them. */
const FIRST_NEEDED = /\/agent\/src\/(main|cli\/commands\/status)\.ts$/;

/** Packages load these if they are there, and do without them here as in the source. */
const OPTIONAL = ['pg-native', 'bufferutil', 'utf-8-validate'];

/** Only these two kinds are known; another one would break where nobody looks. */
function filesBesideTheSource(): Plugin {
  const NAMED = /new URL\((['"])([^'"]+)\1, import\.meta\.url\)/g;
  return {
    name: 'files-beside-the-source',
    transform: {
      filter: { id: /\/packages\/\w+\/src\//, code: 'import.meta.url' },
      handler(code, id) {
        return code.replace(NAMED, (_all, _quote, path: string) => {
          const file = resolve(dirname(id), path);
          if (/\/bin\/[\w-]+\.mjs$/.test(file)) return `new URL('../bin/${basename(file)}', import.meta.url)`;
          if (!/^\.\/[\w-]+\.ts$/.test(path)) throw new Error(`${id}: ${path} is not in the bundle`);
          const fileName = `${basename(path, '.ts')}.cjs`;
          this.emitFile({ type: 'chunk', id: file, fileName });
          return `new URL('./${fileName}', import.meta.url)`;
        });
      },
    },
  };
}

/** Commander loads it for programs that consist of several, which ours do not. */
function withoutChildProcesses(): Plugin {
  const LOAD = "require('node:child_process')";
  return {
    name: 'without-child-processes',
    transform: {
      filter: { id: /\/node_modules\/commander\/lib\/command\.js$/ },
      handler(code) {
        if (!code.includes(LOAD))
          throw new Error('commander does not load what it did; look whether this is still needed');
        return code.replace(LOAD, '{}');
      },
    },
  };
}

function pointToBundle(bin: string): string {
  const pointed = bin.replaceAll(/'\.\.\/src\/([\w-]+)\.ts'/g, "'../lib/$1.cjs'");
  if (pointed === bin) throw new Error('the program does not load its source as expected');
  return pointed;
}

function copyKoffi(nodeModules: string): void {
  const installed = join(ROOT, 'node_modules');
  for (const name of ['koffi', `@koromix/koffi-${process.platform}-${process.arch}`]) {
    cpSync(join(installed, name), join(nodeModules, name), {
      recursive: true,
      filter: (path) => !/\/koffi\/(doc|vendor|lib)$/.test(path),
    });
  }
}

if (import.meta.main) {
  const out = process.argv[2];
  if (out === undefined) {
    process.stderr.write('node scripts/bundle.ts OUT\n');
    process.exit(2);
  }
  const { holdfast, holdfastServer } = await bundle(resolve(out));
  process.stdout.write(`${holdfast}\n${holdfastServer}\n`);
}
