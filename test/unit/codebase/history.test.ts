import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesOf, ROOT, testFiles } from './tree.ts';

/** How much of a title has to be fixed text before a test with that title is recognised by it. */
const RECOGNISED = 10;

/** The fixed parts of every text in the tests, in the order of their length: a title can be made of several of them. */
const texts = testFiles()
  .filter(({ path }) => path !== 'test/unit/codebase/history.test.ts')
  .flatMap(({ text }) => [...text.matchAll(/'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)"|`([^`]*)`/g)])
  .map(([, single, double, template]) => (single ?? double ?? template ?? '').replaceAll('\\', ''));

function isTitle(words: string): boolean {
  return texts.some((text) => {
    if (text.includes(words)) return true;
    const parts = text.split(/\$\{[^}]*\}|%s/);
    return parts.length > 1 && parts.some((part) => meet(words, part));
  });
}

/** Whether one holds the other, or begins as the other ends. */
function meet(words: string, part: string): boolean {
  if (part.length >= RECOGNISED && words.includes(part)) return true;
  for (let cut = RECOGNISED; cut < words.length; cut += 1) {
    if (part.startsWith(words.slice(-cut)) || part.endsWith(words.slice(0, cut))) return true;
  }
  return false;
}

/** What a command of docs/history.md names that is not there. */
function missing(command: string): string[] {
  const titles = [...command.matchAll(/ (?:-t|--only|--config) '([^']*)'/g)].map(([, words = '']) => words);
  const paths = [...command.matchAll(/(?<= )test\/\S+/g)].map(([path]) => path);
  return [
    ...titles.filter((words) => !isTitle(words)),
    ...paths.filter((path) => !existsSync(join(ROOT, path))),
  ];
}

const commands = filesOf(['docs/history.md']).flatMap(({ text }) =>
  [...text.matchAll(/\| `([^`]+)` *\|$/gm)].map(([, command = '']) => command),
);

describe('docs/history.md', () => {
  it('gives a command for every bug, and each names tests, mutants, worlds and files that exist', () => {
    const rows = filesOf(['docs/history.md']).flatMap(
      ({ text }) => text.match(/^\|(?! what | -).*$/gm) ?? [],
    );
    expect(commands.length).toBe(rows.length);
    expect(commands.length).toBeGreaterThan(40);
    expect(commands.flatMap((command) => missing(command).map((name) => `${name}: ${command}`))).toEqual([]);
  });

  it('would be told of a test that is gone', () => {
    expect(missing("npx vitest run --project unit -t 'no test has ever had this title'")).toHaveLength(1);
    expect(missing('npx vitest run --project unit test/unit/gone.test.ts')).toHaveLength(1);
    expect(missing("npx vitest run --project contract -t 'junk behind the token is never granted'")).toEqual(
      [],
    );
  });
});
