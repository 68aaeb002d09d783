import { beforeEach, describe, expect, it } from 'vitest';
import { watchBroker } from '../checks/fences.ts';
import { checkExclusion, onAsk, onGrant, onLost, onProof, overlapGrows } from '../checks/leases.ts';
import { Violation } from '../checks/state.ts';
import { checkAck, checkDeclare, checkPurge } from '../checks/wire.ts';
import type { Client, Contender } from '../client/state.ts';
import type { Config } from '../config.ts';
import { prepare } from '../explore/prepare.ts';
import { inflict } from '../scheduler/faults.ts';
import { take } from '../scheduler/take.ts';
import { cloneWorld, newWorld, type World } from '../world.ts';
import { QUIET, settle } from './quiet.ts';

const CONFIG: Config = {
  ...QUIET,
  name: 'a history that must be rejected',
  allows: ['link dropped, nobody told'],
  losses: [],
};

function the(world: World, id: number): { client: Client; contender: Contender } {
  const client = world.clients[id];
  const contender = client?.contenders[0];
  if (client === undefined || contender === undefined) throw new Error(`client ${id} has no contender`);
  return { client, contender };
}

let world: World;
let holder: { client: Client; contender: Contender };
let waiter: { client: Client; contender: Contender };

/** One client holds the lock, the other one waits. */
beforeEach(() => {
  world = newWorld(CONFIG, () => 0.5);
  prepare(world, (step) => take(world, step));
  for (const client of [0, 1]) {
    take(world, { do: 'acquire', client });
    settle(world);
  }
  holder = the(world, 0);
  waiter = the(world, 1);
});

/** The waiter believes the same as the holder, as after a grant that was none. */
function usurp(): void {
  const { contender } = waiter;
  contender.state = holder.contender.state;
  contender.granted = true;
  contender.watched = { ...holder.contender.watched, fence: undefined };
}

const rejects = (what: () => void, words: RegExp) => {
  expect(what).toThrow(Violation);
  expect(what).toThrow(words);
};

describe('mutual exclusion', () => {
  it('rejects two valid leases without an excuse, at once', () => {
    usurp();
    rejects(() => checkExclusion(world), /hold the lock at once/);
  });

  it.each([
    ['auto', 'ended'],
    ['verified', undefined],
  ] as const)(
    'knows what excuses a holder on 4.3 with %s grants whose connection was reset: %s',
    (grant, excuse) => {
      world = cloneWorld({ ...world, config: { ...CONFIG, version: '4.3', grant } });
      inflict(world, 'reset', 0, 0);
      expect(the(world, 0).contender.watched.excuse).toBe(excuse);
    },
  );

  it('accepts an excused overlap within its bound, and rejects it beyond', () => {
    usurp();
    holder.contender.watched.excuse = 'link';
    checkExclusion(world);
    overlapGrows(world, 10_000);
    expect(world.checks.exceptions).toEqual({ 'link dropped, nobody told': 1 });
    rejects(() => {
      for (let i = 0; i < 3; i += 1) overlapGrows(world, 10_000);
    }, /overlaps with others for/);
  });

  it('rejects a holder that was told and did not listen', () => {
    world = cloneWorld({ ...world, config: { ...CONFIG, allows: ['deleted while held'] } });
    holder = the(world, 0);
    waiter = the(world, 1);
    usurp();
    holder.contender.watched.excuse = 'deleted';
    rejects(() => overlapGrows(world, 1_000), /could have been told/);
  });

  it('rejects an exception that cannot be in this world', () => {
    usurp();
    holder.contender.watched.excuse = 'deleted';
    rejects(() => overlapGrows(world, 10), /cannot be here/);
  });

  it('rejects a proof by another token, and one after somebody else was granted', () => {
    const { watched } = holder.contender;
    watched.read = watched.token + 1;
    rejects(() => onProof(world, holder.client, holder.contender), /another token/);
    watched.read = watched.token;
    world.checks.resolved = [{ fence: (watched.fence ?? 0n) + 5n, token: watched.token, handOuts: 0 }];
    onAsk(world, holder.client, holder.contender);
    rejects(() => onProof(world, holder.client, holder.contender), /followed by another holder/);
  });
});

describe('fences', () => {
  it('reject one that is not above an earlier one', () => {
    const { fence = 0n } = holder.contender.watched;
    waiter.contender.watched.grantedHandOut = world.model.handOuts + 1;
    rejects(() => onGrant(world, waiter.client, waiter.contender, fence), /fences rise/);
  });

  it('reject less than the own process was given before', () => {
    const { client, contender } = holder;
    rejects(() => onGrant(world, client, contender, contender.watched.fence ?? 0n), /its own process/);
  });
});

describe('a loss', () => {
  it('is rejected when it is not told by the end of the lease', () => {
    holder.contender.watched.provenAt = { mono: -20_000, wall: 0 };
    rejects(() => overlapGrows(world, 1), /after its last proof/);
  });

  it('is rejected where nothing goes wrong', () => {
    rejects(() => onLost(world, holder.client, holder.contender, 'superseded'), /a hold lasts/);
  });
});

describe('the broker’s book', () => {
  it('rejects two held tokens, and a token destroyed by its own limit', () => {
    const message = {
      label: 'token#0',
      body: new Uint8Array(),
      returns: 0,
      failures: 0,
      expiresAt: undefined,
    };
    const copy = cloneWorld(world);
    copy.model.events = [{ was: 'destroyed', of: 'lock', message, why: 'limit' }];
    rejects(() => watchBroker(copy), /by its limit/);
    copy.model.events = [];
    copy.model.queues.lock?.cancelled.push({
      channel: 99,
      prefetch: 1,
      held: [{ message, handOut: 1 }],
      status: 'up',
      deaf: false,
    });
    rejects(() => watchBroker(copy), /two tokens are held/);
  });
});

describe('the wire', () => {
  it('rejects a queue that is recreated too soon, or purged after one look', () => {
    const { contender } = waiter;
    contender.watched.book = {
      ...contender.watched.book,
      goneAt: world.model.now,
      knows: true,
      emptyAt: world.model.now,
    };
    rejects(() => checkDeclare(world, contender), /is recreated 0 ms/);
    const purging = { ...contender, watched: { ...contender.watched, handedToken: false } };
    rejects(() => checkPurge(world, purging), /is purged 0 ms/);
  });

  it('rejects the ack of a token before another one is known to be alone behind it', () => {
    const { watched } = waiter.contender;
    const has = { ...waiter.contender, watched: { ...watched, handedToken: true, deliveryTag: 7 } };
    rejects(() => checkAck(world, has, 7), /acked without a purge/);
    has.watched.book = { ...watched.book, purged: true, seeded: true };
    rejects(() => checkAck(world, has, 7), /known to be alone/);
    has.watched.book = { ...has.watched.book, alone: true };
    checkAck(world, has, 7);
  });
});
