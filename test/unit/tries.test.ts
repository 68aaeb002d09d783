import { beforeEach, expect, test } from 'vitest';
import { ManualClock, TestBroker } from '../../src/testing/index.ts';
import { coordinators } from './in-memory.ts';

const STEP_MS = 5;
let clock: ManualClock;
const open = coordinators(() => clock);

beforeEach(() => {
  clock = new ManualClock();
});

test.each([
  { everyMs: 20, delayMs: 1 },
  { everyMs: 20, delayMs: 4 },
  { everyMs: 45, delayMs: 1 },
  { everyMs: 90, delayMs: 2 },
  { everyMs: 200, delayMs: 4 },
])(
  'each of 60 tries is answered within 150 ms while its process holds for $everyMs ms again and again, on a line of $delayMs ms',
  async ({ everyMs, delayMs }) => {
    const broker = new TestBroker({ clock });
    const baton = open(broker);
    broker.line(baton).delay(delayMs);
    const lock = baton.lock('jobs');
    let busy = true;
    const pause = () =>
      new Promise<void>((resolve) => {
        clock.setTimer(clock.now().mono + everyMs, resolve);
      });
    const user = (async () => {
      while (busy) await lock.run(pause);
    })();
    const took: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      await clock.advance(round * 7);
      const from = clock.now().mono;
      let answered = false;
      const attempt = lock.tryAcquire().finally(() => {
        answered = true;
        took.push(clock.now().mono - from);
      });
      while (!answered) await clock.advance(STEP_MS);
      const released = (await attempt)?.release();
      await clock.advance(50);
      await released;
    }
    busy = false;
    const ended = user.then(() => {
      busy = true;
    });
    while (!busy) await clock.advance(everyMs);
    await ended;
    expect(Math.max(...took)).toBeLessThanOrEqual(150);
  },
);
