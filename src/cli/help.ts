import { CONNECTION, type Flags, variableOf } from './flags.ts';

/** Two columns, the first as wide as its longest entry; the second may have several lines. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  const indent = `\n${' '.repeat(width + 4)}`;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right.replaceAll('\n', indent)}`).join('\n');
}

/** A row for each flag, with its short form and its environment variable. */
export function flagRows(flags: Flags): string {
  return columns(
    Object.entries(flags).map(([name, { short, value, env, help }]) => [
      `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
      `${help}${env ? ` [${variableOf(name)}]` : ''}`,
    ]),
  );
}

/** The flags that every command takes. */
export const CONNECTION_HELP = `Connection (each also as an environment variable, which a flag overrides):
${flagRows(CONNECTION)}`;

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
