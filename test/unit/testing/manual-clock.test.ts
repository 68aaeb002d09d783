import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/testing/index.ts';

describe('ManualClock', () => {
  test('advance runs the timers that come due in order of time, also those set meanwhile, and then shows the end', async () => {
    const clock = new ManualClock();
    const seen: [string, number][] = [];
    const note = (what: string) => () => void seen.push([what, clock.now().mono]);
    clock.setTimer(30, note('late'));
    clock.setTimer(10, () => {
      note('early')();
      clock.setTimer(20, note('set meanwhile'));
    });
    const cancel = clock.setTimer(15, note('cancelled'));
    clock.setTimer(101, note('beyond'));
    cancel();
    await clock.advance(100);
    expect(seen).toEqual([
      ['early', 10],
      ['set meanwhile', 20],
      ['late', 30],
    ]);
    expect(clock.now()).toEqual({ mono: 100, wall: Date.UTC(2030, 0, 1) + 100 });
  });

  test('stall moves both clocks and runs nothing; what is due runs with the next advance, late', async () => {
    const clock = new ManualClock();
    const seen: number[] = [];
    clock.setTimer(10, () => seen.push(clock.now().mono));
    clock.stall(50);
    await Promise.resolve();
    expect(seen).toEqual([]);
    await clock.advance(0);
    expect(seen).toEqual([50]);
    expect(clock.now()).toEqual({ mono: 50, wall: Date.UTC(2030, 0, 1) + 50 });
  });

  test('stepWall sets the wall clock alone, either way, and runs nothing', () => {
    const clock = new ManualClock(1_000);
    clock.stepWall(500);
    expect(clock.now()).toEqual({ mono: 0, wall: 1_500 });
    clock.stepWall(-1_400);
    expect(clock.now()).toEqual({ mono: 0, wall: 100 });
  });
});
