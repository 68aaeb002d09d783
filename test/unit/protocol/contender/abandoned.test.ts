import { expect, test } from 'vitest';
import { wakeAt } from '../../../../src/protocol/contender/step.ts';
import { feed, inspectingForeign, LINE, later, names, RULES, run } from './fixtures.ts';

/**
 * Its caller has gone, and a look has shown that its queue has. If the cancellation does not come (on 3.10.8 a consumer
 * of a queue that was soon recreated is attached to that one without a word), nothing ends it: no wake is ever due.
 */
test('an abandoned waiter whose queue is gone leaves 2 s after its foreign message, also if no cancellation comes', () => {
  const graceUntil = later(2_000).mono;
  const [gone] = run(inspectingForeign({ abandoned: true, graceUntil }), RULES, [
    [{ type: 'looked', call: LINE + 1, depth: 'absent' }, {}],
  ]);
  expect(wakeAt(gone, RULES)).toBe(graceUntil);
  expect(names(feed(gone, { type: 'wake' }, { now: later(2_000) })[1])).toBe('set-queue-known close');
});
