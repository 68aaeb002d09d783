import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/dispatch.ts';
import { CONNECTION, type Flag, type Flags, variableOf } from '../../../src/cli/flags.ts';
import { ROOT } from '../codebase/tree.ts';

const PAGE = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8');
/** What holds for several commands is told there. */
const SHARED = ['Connection', 'The management API'];
const sample = (section: string) =>
  `## \`baton ls [LOCK…]\`\n${section}\n## JSON\n\`--watch\` \`BATON_QUIET\``;

/** The words in code style of these sections of a page; blocks of code are examples. */
function wordsIn(page: string, isAsked: (title: string) => boolean): Set<string> {
  const sections = page.replaceAll(/^```[\s\S]*?^```$/gm, '').split(/^## /m);
  const asked = sections.filter((section) => isAsked(section.slice(0, section.indexOf('\n'))));
  return new Set(
    asked.flatMap((section) => [...section.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)),
  );
}

const written = (name: string, { value }: Flag) => `--${name}${value === undefined ? '' : ` ${value}`}`;

/** What the page does not tell of a command's flags: how each is written, its short form and its variable. */
function untold(page: string, command: string, flags: Flags): string[] {
  const words = wordsIn(page, (title) => SHARED.includes(title) || title.startsWith(`\`baton ${command} `));
  return Object.entries(flags)
    .flatMap(([name, flag]) => [
      written(name, flag),
      ...(flag.short === undefined ? [] : [`-${flag.short}`]),
      ...(flag.env ? [variableOf(name)] : []),
    ])
    .filter((word) => ![...words].some((it) => it === word || it === `${word}=1`));
}

/** What the page tells of flags that no command has, or not with that value. */
function invented(page: string, flags: Flags): string[] {
  const known = Object.entries(flags).flatMap(([name, flag]) => [`--${name}`, written(name, flag)]);
  return [...wordsIn(page, () => true)].filter((word) => word.startsWith('--') && !known.includes(word));
}

describe.each(Object.keys(COMMANDS))('baton %s', (command) => {
  let own: { FLAGS: Flags; HELP: string };
  beforeAll(async () => {
    own = await (COMMANDS[command] as (typeof COMMANDS)[string]).help();
  });

  test('names each flag exactly once in --help', () => {
    const rows = [...own.HELP.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name]) => name);
    expect(rows.sort()).toEqual([...Object.keys(own.FLAGS), ...Object.keys(CONNECTION)].sort());
    const short = [...own.HELP.matchAll(/^ {2}-(\w), /gm)].map(([, letter]) => letter);
    expect(short.concat('h').sort()).toEqual([...new Set(short).add('h')].sort());
  });

  test('docs/cli.md tells each flag, with its variable, as --help does', () => {
    expect(untold(PAGE, command, { ...CONNECTION, ...own.FLAGS })).toEqual([]);
  });
});

test('docs/cli.md tells no flag that no command has', async () => {
  const all = await Promise.all(Object.values(COMMANDS).map(({ help }) => help()));
  expect(invented(PAGE, Object.assign({}, CONNECTION, ...all.map(({ FLAGS }) => FLAGS)))).toEqual([]);
});

test('a page that leaves out a flag, its value, its short form or its variable would be noticed', () => {
  const flags: Flags = { quiet: { short: 'q', env: true, help: '' }, label: { value: 'TEXT', help: '' } };
  const whole = '`--quiet`, `-q`, `BATON_QUIET=1`, `--label TEXT`';
  expect(untold(sample(whole), 'ls', flags)).toEqual([]);
  expect(untold(sample('```sh\n`--quiet`\n```\n`--label`'), 'ls', flags)).toEqual([
    '--quiet',
    '-q',
    'BATON_QUIET',
    '--label TEXT',
  ]);
  expect(invented(sample('`--label NAME` `--quit` `--label`'), flags)).toEqual([
    '--label NAME',
    '--quit',
    '--watch',
  ]);
});
