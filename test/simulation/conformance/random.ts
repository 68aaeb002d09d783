import fc from 'fast-check';
import type { Version } from '../model/index.ts';
import { ModelBackend } from './model.ts';
import { Comparison } from './play.ts';
import { RealBackend, type RealBroker } from './real.ts';
import type { Step } from './script.ts';

/** A step that is still to find out what it can be applied to; it is left out where there is nothing. */
type Draft =
  | Exclude<Step, { message: string }>
  | { readonly do: 'ack' | 'nack' | 'reject'; readonly channel: string; readonly nth: number }
  | { readonly do: 'publish' }
  /** Published with a time to live, and waited for until that is over. */
  | { readonly do: 'probe' };

const TTL_MS = 500;
/** Scripts wait for the broker most of the time. */
const LANES = 6;

const channel = fc.constantFrom('A1', 'A2', 'B1', 'C1', 'D1');
const connection = fc.constantFrom('A', 'B', 'C', 'D');

/**
 * Only what has one outcome. The broker may end the channels of one connection in any order: a connection is dropped
 * only when it has one. A queue that is recreated at once is a race on 3.10.
 */
function drafts(version: Version): fc.Arbitrary<Draft[]> {
  const afterMs = fc.constantFrom(...(version === '3.10' ? [100] : [0, 100]));
  const draft: fc.Arbitrary<Draft> = fc.oneof(
    { weight: 14, arbitrary: fc.record({ do: fc.constant('consume' as const), channel }) },
    { weight: 10, arbitrary: fc.constant<Draft>({ do: 'publish' }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constantFrom('ack', 'nack', 'nack', 'reject'), channel, nth: fc.nat(2) }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('close', 'close', 'cancel', 'look'), channel }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('drop', 'leave'), connection }) },
    { weight: 2, arbitrary: fc.constantFrom<Draft>({ do: 'purge' }, { do: 'delete' }, { do: 'declare' }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('recreate' as const), afterMs }) },
    { weight: 1, arbitrary: fc.constant<Draft>({ do: 'probe' }) },
  );
  return fc.array(draft, { minLength: 10, maxLength: 24, size: 'max' });
}

/** @throws Error with the shortest script that was found on which model and broker differ. */
export async function compareRandomScripts(options: {
  readonly broker: RealBroker;
  readonly version: Version;
  readonly scripts: number;
  /** By default another one each time; it is in the error. */
  readonly seed?: number;
}): Promise<{ readonly steps: number }> {
  const { broker, version, scripts, seed = Date.now() % 2 ** 31 } = options;
  let steps = 0;
  const property = fc.asyncProperty(drafts(version), async (script) => {
    const taken = await compareOne(script, broker, version);
    steps += taken;
  });
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    fc.assert(property, {
      numRuns: Math.ceil(scripts / LANES),
      seed: seed + lane,
      interruptAfterTimeLimit: 60_000 + scripts * 900,
    }),
  );
  await Promise.all(lanes);
  return { steps };
}

async function compareOne(script: readonly Draft[], broker: RealBroker, version: Version): Promise<number> {
  const model = new ModelBackend(version);
  const real = new RealBackend(broker);
  const comparison = new Comparison(model, real);
  let steps = 0;
  const perform = async (step: Step): Promise<void> => {
    steps += 1;
    await comparison.perform(step);
  };
  try {
    await perform({ do: 'declare' });
    await perform({ do: 'publish', message: 'token' });
    for (const each of script) for (const step of applied(each, model, steps)) await perform(step);
    await comparison.end();
  } finally {
    await real.end();
  }
  return steps;
}

/** `unique`: no two calls with the same number. */
function applied(draft: Draft, model: ModelBackend, unique: number): Step[] {
  switch (draft.do) {
    case 'publish':
      return [{ do: 'publish', message: `m${unique}` }];
    case 'probe':
      return [
        { do: 'publish', message: `m${unique}`, ttlMs: TTL_MS },
        { do: 'wait', ms: 2 * TTL_MS },
      ];
    case 'consume':
      return model.standing(draft.channel).consumes ? [] : [draft];
    case 'cancel':
      return model.standing(draft.channel).consumes ? [draft] : [];
    case 'ack':
    case 'nack':
    case 'reject': {
      const { held } = model.standing(draft.channel);
      const message = held[draft.nth % held.length];
      return message === undefined ? [] : [{ do: draft.do, channel: draft.channel, message }];
    }
    case 'close':
      return model.standing(draft.channel).isOpen ? [draft] : [];
    case 'drop':
    case 'leave':
      return model.channels(draft.connection).length === 1 ? [draft] : [];
    default:
      return [draft];
  }
}
