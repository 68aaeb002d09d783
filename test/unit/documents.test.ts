import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from './codebase/tree.ts';

/** The TypeScript blocks of a page, each with the line where it begins. */
async function blocksOf(page: string): Promise<{ name: string; code: string }[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ 1: code = '', index }) => ({
    name: `${page.replaceAll(/\W+/g, '-')}-line-${text.slice(0, index).split('\n').length + 1}`,
    code,
  }));
}

const isWhole = ({ code }: { code: string }) => /^import /m.test(code);

test('every block of code in the README can be copied as it is: it imports what it uses', async () => {
  const blocks = await blocksOf('README.md');
  expect(blocks.length).toBeGreaterThan(3);
  expect(blocks.filter((block) => !isWhole(block)).map(({ name }) => name)).toEqual([]);
});

test('what a page shows with its imports compiles by itself', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-documents-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const pages = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md'));
  const blocks = (
    await Promise.all(['README.md', ...pages.map((name) => `docs/${name}`)].map(blocksOf))
  ).flat();
  const whole = blocks.filter(isWhole);
  expect(whole.length).toBeGreaterThan(6);
  for (const { name, code } of whole) await writeFile(join(folder, `${name}.ts`), code);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const config = {
    extends: join(ROOT, 'docs/examples/tsconfig.json'),
    compilerOptions: { rootDir: '/', noUnusedLocals: false, preserveSymlinks: true },
    include: ['*.ts'],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const compile = promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder]);
  expect(
    await compile.then(
      () => '',
      ({ stdout }) => stdout,
    ),
  ).toBe('');
});
