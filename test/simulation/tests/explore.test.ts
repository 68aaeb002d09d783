import { describe, expect, it } from 'vitest';
import type { Config } from '../config.ts';
import { RANDOM } from '../configs.ts';
import { canonical, digest } from '../explore/canonical.ts';
import { explore, retell } from '../explore/exhaustive.ts';
import { prepare } from '../explore/prepare.ts';
import { runOnce } from '../explore/random.ts';
import { take } from '../scheduler/take.ts';
import { EXHAUSTIVE } from '../small-configs.ts';
import { cloneWorld, newWorld, type World } from '../world.ts';
import { QUIET, settle } from './quiet.ts';

function prepared(at = 0): World {
  const world = newWorld(QUIET, () => 0.5);
  world.model.now = at;
  prepare(world, (step) => take(world, step));
  return world;
}

describe('a random run', () => {
  it.each(RANDOM)('of "$name" is the same for the same seed', (config) => {
    const [once, again] = [runOnce(config, 7, true), runOnce(config, 7, true)];
    expect(again.world.story).toEqual(once.world.story);
    expect(once.violation).toBeUndefined();
    expect(runOnce(config, 8, true).world.story).not.toEqual(once.world.story);
  });
});

describe('a copy of a world', () => {
  it('goes its own way, and the original is not touched', () => {
    const world = prepared();
    const before = canonical(world);
    const copy = cloneWorld(world);
    expect(canonical(copy)).toBe(before);
    take(copy, { do: 'acquire', client: 0 });
    settle(copy);
    expect(copy.checks.grants).toBe(1);
    expect(canonical(world)).toBe(before);
    expect(canonical(copy)).not.toBe(before);
  });
});

describe('the canonical form', () => {
  it('does not depend on when something happens', () => {
    const [now, later] = [prepared(), prepared(3_600_000)];
    for (const world of [now, later]) {
      take(world, { do: 'acquire', client: 0 });
      settle(world);
      take(world, { do: 'advance', ms: 5_000 });
      settle(world);
    }
    expect(now.checks.grants).toBe(1);
    expect(canonical(later)).toBe(canonical(now));
    take(later, { do: 'advance', ms: 1 });
    expect(canonical(later)).not.toBe(canonical(now));
  });

  it('is the same for two orders that come to the same, and differs in who came first', () => {
    const [one, other, third] = [prepared(), prepared(), prepared()];
    for (const [world, order] of [
      [one, [0, 1]],
      [other, [1, 0]],
    ] as const) {
      for (const client of order) take(world, { do: 'acquire', client });
    }
    expect(canonical(other)).toBe(canonical(one));
    for (const client of [1, 0]) {
      take(third, { do: 'acquire', client });
      settle(third);
    }
    settle(one);
    expect(canonical(third)).not.toBe(canonical(one));
    expect(digest(canonical(third))).not.toBe(digest(canonical(one)));
  });
});

describe('the exhaustive search', () => {
  const [config, bounds] = EXHAUSTIVE.find(([{ name }]) => name === 'two flaps') ?? [QUIET, undefined];

  it('sees all of a small world', () => {
    const found = explore(QUIET, { maxSteps: 100, maxStates: 10_000, horizonMs: 1_000, eager: true });
    expect(found).toMatchObject({ complete: true, violation: undefined });
    expect(found.states).toBeGreaterThan(50);
  });

  it('finds that two flaps make an old delivery look like the answer, by the shortest way, when that is not allowed', () => {
    const strict: Config = { ...config, allows: ['link dropped, nobody told'] };
    const found = explore(strict, {
      ...(bounds ?? { maxSteps: 0, maxStates: 0, eager: true }),
      horizonMs: 10,
    });
    expect(found.violation?.rule).toBe('no exception');
    expect(found.trace.length).toBeLessThan(20);
    expect(retell(strict, found.trace).at(-1)).toContain('old delivery taken for the answer');
  });
});
