import { CONNECT_FLAGS, MANAGEMENT_FLAG, variableOf } from './connect-flags.ts';

/** Two columns, the first as wide as its longest entry. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}

/** The flags that every command takes, each with its environment variable. */
export function connectionHelp(): string {
  const rows = CONNECT_FLAGS.map(({ name, value, help }): [string, string] => [
    `--${name} ${value}`,
    `${help} [${variableOf(name)}]`,
  ]);
  const verbose: [string, string] = [
    '-v, --verbose',
    'tell what happens, as JSON lines on stderr [BATON_VERBOSE]',
  ];
  return `Connection (each also as an environment variable, which a flag overrides):\n${columns([...rows, verbose])}`;
}

/** For the commands that ask the management API. */
export const MANAGEMENT_HELP: [string, string] = [
  `--${MANAGEMENT_FLAG.name} ${MANAGEMENT_FLAG.value}`,
  `${MANAGEMENT_FLAG.help} [${variableOf(MANAGEMENT_FLAG.name)}]`,
];

/** What every command can end with. */
export const COMMON_CODES: readonly (readonly [string, string])[] = [
  ['64', 'wrong usage or options'],
  ['69', 'no broker answered within --connect-timeout'],
  ['70', 'a fault of baton itself'],
  ['74', 'the output could not be written'],
  ['76', 'a broker that is not supported, a queue that is not a lock, or a newer token'],
  ['77', 'access refused: login, virtual host or permissions'],
  ['141', 'nobody reads the output any more'],
];
