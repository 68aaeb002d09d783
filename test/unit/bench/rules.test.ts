import { expect, it } from 'vitest';
import { skippedRules } from '../../../bench/peers/rabbitmq/rules.ts';
import { WireLog } from '../../../bench/peers/rabbitmq/wire-log.ts';

/** Methods on one channel: `>` is sent, `<` is received. */
function replay(log: WireLog, channel: number, ...steps: readonly string[]): void {
  for (const step of steps) {
    const frame = { type: 'method', channel, size: 10, method: step.slice(1) } as const;
    if (step.startsWith('>')) log.sent(1, frame);
    else log.received(1, frame);
  }
}

const GRANT = ['>basic.consume', '<basic.consume-ok', '<basic.deliver'];
const VERIFICATION = ['>basic.nack', '<basic.deliver'];
const RELEASE = ['>channel.close', '<channel.close-ok'];

interface Story {
  readonly grants?: number;
  readonly givenUp?: number;
  readonly brokerVersion?: string;
  readonly holdMs?: number;
}

function skipped(channels: readonly (readonly string[])[], story: Story = {}): string[] {
  const log = new WireLog();
  for (const [index, steps] of channels.entries()) replay(log, index + 1, ...steps);
  const { grants = channels.length, givenUp = 0, brokerVersion = '3.10.8', holdMs = 5 } = story;
  return skippedRules({ counts: log.take(), grants, givenUp, brokerVersion, holdMs });
}

it('finds nothing wrong with grants that were verified and released by a close', () => {
  const turn = [...GRANT, ...VERIFICATION, ...RELEASE];
  expect(skipped([turn, turn])).toEqual([]);
});

it('lets a grant come before its first proof from 4.3 on', () => {
  const turn = [...GRANT, '>basic.nack', ...RELEASE];
  expect(skipped([turn], { brokerVersion: '4.3.6' })).toEqual([]);
});

it('wants no proof from 4.3 on of what is released in the turn of its grant', () => {
  expect(skipped([[...GRANT, ...RELEASE]], { brokerVersion: '4.3.6', holdMs: 0 })).toEqual([]);
});

it.each([
  ['a grant without a verification', [[...GRANT, ...RELEASE]], { holdMs: 0 }, /only 0 verifications/],
  [
    'a grant without a verification on 4.3',
    [[...GRANT, ...RELEASE]],
    { brokerVersion: '4.3.6' },
    /never asked for proof/,
  ],
  [
    'a grant before its first proof below 4.3',
    [[...GRANT, '>basic.nack', ...RELEASE]],
    { brokerVersion: '4.0.5' },
    /must await/,
  ],
  [
    'a channel that is used for two grants',
    [[...GRANT, ...VERIFICATION, ...VERIFICATION, ...RELEASE]],
    { grants: 2 },
    /at most 1 may share one/,
  ],
  ['an acknowledged token', [[...GRANT, ...VERIFICATION, '>basic.ack', ...RELEASE]], {}, /acknowledged/],
  ['a cancelled consumer', [[...GRANT, ...VERIFICATION, '>basic.cancel', ...RELEASE]], {}, /cancelled/],
] as const)('notices %s', (_what, channels, story, sentence) => {
  expect(skipped(channels, story).join('\n')).toMatch(sentence);
});

it('lets those who gave up close a channel that was just handed the token', () => {
  const turn = [...GRANT, ...VERIFICATION, ...RELEASE];
  expect(skipped([turn, [...GRANT, ...RELEASE]], { grants: 1, givenUp: 1 })).toEqual([]);
});

it('takes no delivery for a grant that arrives on a channel already closed', () => {
  const log = new WireLog();
  replay(log, 1, '>basic.consume', '>channel.close', '<basic.deliver', '<channel.close-ok');
  replay(log, 1, ...GRANT, ...VERIFICATION, ...RELEASE);
  expect(log.take()).toMatchObject({ taken: 1, verifications: 1, proofs: 1, unverified: 0, unproven: 0 });
});
