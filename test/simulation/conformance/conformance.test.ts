import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { sharedBroker } from '../../support/broker/index.ts';
import type { Version } from '../model/index.ts';
import { ModelBackend } from './model.ts';
import { Comparison, play } from './play.ts';
import { compareRandomScripts } from './random.ts';
import { RealBackend } from './real.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { outcomeOf, type Scenario, type Step, type View } from './script.ts';

const broker = sharedBroker();
const version = rulesOf(broker.version);
const playable = SCENARIOS.filter(({ control }) => !control || broker.control !== undefined);

/** Random scripts to compare; more for a search. */
const SCRIPTS = Number(process.env.BATON_CONFORMANCE_SCRIPTS ?? 120);

describe(`RabbitMQ ${broker.version}`, () => {
  // Each on a queue of its own, in the time of the slowest few.
  describe.concurrent('does, and the model does the same:', () => {
    for (const scenario of playable.filter((each) => !isAlone(each))) testOf(scenario);
  });
  describe('does, and the model does the same, one at a time:', () => {
    for (const scenario of playable.filter(isAlone)) testOf(scenario);
  });

  test(`and the model agree on ${SCRIPTS} random scripts`, {
    timeout: 60_000 + SCRIPTS * 1_000,
  }, async () => {
    const compared = await compareRandomScripts({ broker, version, scripts: SCRIPTS });
    expect(compared.steps).toBeGreaterThan(5 * SCRIPTS);
  });
});

/** Some touch the whole broker, and some want a quiet one. */
const isAlone = ({ control, race }: Scenario): boolean => Boolean(control || race);

function testOf({ title, script, outcome, beyondModel, race }: Scenario): void {
  test(title, { retry: race ? 10 : 0 }, async ({ expect, onTestFinished }) => {
    const expected = typeof outcome === 'function' ? outcome(version) : outcome;
    const real = new RealBackend(broker);
    onTestFinished(() => real.end());
    const view = await (beyondModel === undefined
      ? compare(script, real)
      : play(script, real, (seen) => isDeepStrictEqual(outcomeOf(seen), expected)));
    expect(outcomeOf(view)).toEqual(expected);
  });
}

async function compare(script: readonly Step[], real: RealBackend): Promise<View> {
  const declared = script.find((step) => step.do === 'declare');
  const comparison = new Comparison(new ModelBackend(version, declared?.arguments), real);
  for (const step of script) await comparison.perform(step);
  return comparison.end();
}

/** Which of the three sets of rules a RabbitMQ follows. */
function rulesOf(text: string): Version {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  if (major < 4) return '3.10';
  return major === 4 && minor < 3 ? '4.0' : '4.3';
}
