import { expect, onTestFinished, test, vi } from 'vitest';
import { ResourceLimitError } from '../../../src/errors.ts';
import { ChannelBudget } from '../../../src/rabbitmq/channel-budget.ts';

const LIMIT = 8;
const limit = () => new ResourceLimitError('the user has its max-channels');

function fakeTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

test('who waits while all that may be used is in use is thought of again when the limit is tried again', async () => {
  fakeTime();
  const budget = new ChannelBudget();
  onTestFinished(() => budget.dispose());
  budget.trialConnection = () => ({ freeChannels: 2_000, openChannel: () => Promise.reject(limit()) });
  // Used are those with a close under way, too; proven is only what was open at a time.
  for (let opened = 0; opened < LIMIT - 1; opened += 1) {
    budget.opening();
    budget.opened();
    budget.closing();
  }
  budget.met(limit(), LIMIT);
  let changes = 0;
  budget.onChange = () => {
    changes += 1;
  };
  await vi.advanceTimersByTimeAsync(0);
  changes = 0;
  budget.miss(1);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(changes).toBe(0);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(changes).toBe(1);
});

test('a call waits for a trial, and for a second at most when that is not answered', async () => {
  for (const isAnswered of [true, false]) {
    const budget = new ChannelBudget();
    onTestFinished(() => budget.dispose());
    const answers: (() => void)[] = [];
    const openChannel = () =>
      new Promise<{ close(): void }>((resolve) => answers.push(() => resolve({ close() {} })));
    budget.trialConnection = () => ({ freeChannels: 2_000, openChannel });
    budget.lookAhead();
    expect(answers.length).toBeGreaterThan(0);
    const from = performance.now();
    const settled = budget.settled().then(() => performance.now() - from);
    if (isAnswered) for (const answer of answers) answer();
    if (isAnswered) expect(await settled).toBeLessThan(900);
    else expect(await settled).toBeGreaterThan(900);
  }
});
