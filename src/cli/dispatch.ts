import { readFileSync } from 'node:fs';
import { InvalidOptionsError, isBatonError } from '../errors.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { type Flags, inFlags } from './flags.ts';
import { columns } from './help.ts';
import { parseArgsProblem } from './parse-args-problem.ts';
import { endOnSignals, Interrupted } from './run/interrupts.ts';
import { systemText } from './system-text.ts';
import { allSaid, OutputError, printLines, say } from './talk.ts';
import { UsageError } from './usage-error.ts';

/** Five seconds: a full pipe that nobody reads keeps no command alive. */
const FAREWELL_TRIES = 500;

/** One folder for each command; its parts are loaded when they are needed. */
interface Command {
  readonly about: string;
  readonly help: () => Promise<{ FLAGS: Flags; HELP: string }>;
  readonly load: () => Promise<{ main(argv: readonly string[]): Promise<number> }>;
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  run: {
    about: 'run a command while holding a lock',
    help: () => import('./run/help.ts'),
    load: () => import('./run/command.ts'),
  },
  ls: {
    about: 'list locks: held or free, by whom, how many wait',
    help: () => import('./ls/help.ts'),
    load: () => import('./ls/command.ts'),
  },
  show: {
    about: 'who holds a lock, who waits, in order',
    help: () => import('./show/help.ts'),
    load: () => import('./show/command.ts'),
  },
  break: {
    about: 'take a lock from its holder',
    help: () => import('./break/help.ts'),
    load: () => import('./break/command.ts'),
  },
  doctor: {
    about: 'examine the broker as a place for locks',
    help: () => import('./doctor/help.ts'),
    load: () => import('./doctor/command.ts'),
  },
};

const HELP = `Usage: baton COMMAND [options]

Distributed locks on RabbitMQ.

${columns(Object.entries(COMMANDS).map(([name, { about }]) => [name, about]))}

baton COMMAND --help tells the rest. baton --version names the version.
`;

/** Runs the command of these arguments, and resolves with its exit code when all is said. */
export async function dispatch(args: readonly string[]): Promise<number> {
  const code = await main(args).catch((error) => fail(error, args[0]));
  await allSaid({ tries: FAREWELL_TRIES });
  return code;
}

async function main([name, ...argv]: readonly string[]): Promise<number> {
  if (name === '--version') return print(version());
  if (name === '--help' || name === '-h' || name === 'help') return print(HELP);
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const problem =
      name === undefined ? 'which command?' : `there is no command ${JSON.stringify(name)}; there are`;
    throw new UsageError(`${problem} ${Object.keys(COMMANDS).join(', ')}; see baton --help`);
  }
  // A command under `baton run` decides itself what a signal means.
  if (name !== 'run') endOnSignals();
  const dashes = argv.indexOf('--');
  const own = dashes < 0 ? argv : argv.slice(0, dashes);
  if (own.includes('--help') || own.includes('-h')) return print((await command.help()).HELP);
  return (await command.load()).main(argv);
}

async function print(text: string): Promise<number> {
  await printLines(text.trimEnd().split('\n'));
  return EXIT.ok;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Tells what went wrong, and with which code to exit. */
function fail(error: unknown, command: string | undefined): number {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof OutputError) return failOutput(error);
  const usage = wrongUsage(error, command);
  if (usage !== undefined) {
    say(usage);
    return EXIT.usage;
  }
  say(inFlags(error instanceof Error ? error.message : String(error)));
  // A fault of ours. The stack begins with the message, which may have lines of its own.
  if (!isBatonError(error) && error instanceof Error) {
    const { stack = '' } = error;
    for (const line of stack.slice(stack.indexOf(error.message) + error.message.length).split('\n'))
      if (line !== '') say(line);
  }
  return exitCodeOf(error);
}

function failOutput({ message, code }: OutputError): number {
  if (code === 'EPIPE') return EXIT.brokenPipe; // as with `| head`: who read it has enough
  say(`${message}: ${systemText(code)}`);
  return EXIT.output;
}

function wrongUsage(error: unknown, command = ''): string | undefined {
  if (error instanceof UsageError) return error.message;
  if (error instanceof InvalidOptionsError) return inFlags(error.message);
  return parseArgsProblem(error, command);
}
