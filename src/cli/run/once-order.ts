import { InvalidOptionsError } from '../../index.ts';
import type { Policy } from '../../jobs/decide.ts';
import { parseTicks, type Ticks } from '../../jobs/ticks.ts';
import type { Settings } from '../../options.ts';
import type { Values } from '../flags.ts';
import { UsageError } from '../usage-error.ts';
import type { ONCE } from './help.ts';

/**
 * What `--once-per` asks for; undefined without it. A command started for a tick runs the last one that has come,
 * if it is not done: that is `catchUp: 'last'`. Throws UsageError.
 */
export function readOnce(values: Values<typeof ONCE>, settings: Settings): Policy | undefined {
  const { 'once-per': when, tz, 'at-least-once': atLeastOnce, 'at-most-once': atMostOnce } = values;
  if (when === undefined) {
    const flag = (['tz', 'at-least-once', 'at-most-once'] as const).find(
      (name) => values[name] !== undefined,
    );
    if (flag !== undefined) throw new UsageError(`--${flag} is for --once-per, which was not given`);
    return undefined;
  }
  if (atLeastOnce && atMostOnce)
    throw new UsageError('--at-least-once and --at-most-once exclude each other');
  const isForgetful = {
    '--slots': settings.slots !== undefined,
    '--idle-expiry': Number.isFinite(settings.idleExpiryMs),
  };
  for (const [flag, isGiven] of Object.entries(isForgetful)) {
    if (isGiven)
      throw new UsageError(`--once-per and ${flag} exclude each other: it needs a lock that remembers`);
  }
  return {
    ticks: readTicks(when, tz),
    semantics: atMostOnce ? 'at-most-once' : 'at-least-once',
    catchUp: 'last',
    overrun: 'skip',
  };
}

function readTicks(when: string, tz: string | undefined): Ticks {
  try {
    return parseTicks(when, tz);
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    throw new UsageError(error.message.replace(/^schedule/, '--once-per').replace(/^timezone/, '--tz'));
  }
}
