import { nextBase } from '../../../src/protocol/fence.ts';
import {
  type Errand,
  type NameRecord,
  type RecordEvent,
  recordStep,
} from '../../../src/protocol/name-record.ts';
import { encodeEntry } from '../../../src/protocol/register/entry.ts';
import { encodeProbe, encodeToken } from '../../../src/protocol/token.ts';
import { watchWakeAt } from '../../../src/protocol/token-watch.ts';
import { LOCK, TIMES } from '../config.ts';
import { EPOCH_MS, instantOf, type Minted, type World, type Write } from '../world.ts';
import { request } from './calls.ts';
import type { Client, Request } from './state.ts';

/** Feeds the record of the name. Its own looks and probes are requests that nobody waits for. */
export function hear(world: World, client: Client, event: RecordEvent): void {
  const inputs = { now: instantOf(world, client), healAfterMs: TIMES.healAfterMs, jitter: world.jitter };
  const [record, errand] = recordStep(client.record, event, inputs);
  take(world, client, record, errand === undefined ? [] : [errand]);
}

export function take(world: World, client: Client, record: NameRecord, errands: readonly Errand[]): void {
  if (record.queueEndedAt !== client.record.queueEndedAt) client.toldOfEndAt = world.model.now;
  client.record = record;
  for (const errand of errands) request(world, client, errand, undefined);
}

export function tokenWatchDue(world: World, client: Client): boolean {
  const at = watchWakeAt(client.record.tokenWatch);
  return at !== undefined && instantOf(world, client).mono >= at;
}

/** A seed or a probe, made at the moment of the call as in src/acquire/lock-records.ts. */
export function payloadOf(world: World, client: Client, what: Request['what']): Request['payload'] {
  if (what !== 'seed' && what !== 'probe') return undefined;
  const { wall } = instantOf(world, client);
  if (what === 'seed') {
    return mintToken(world, nextBase(wall, client.record.highestSeen), wall);
  }
  const label = `probe#${world.minted.length}`;
  const body = encodeProbe({ id: idOf(world.minted.length), name: LOCK, by: 'sim', at: wall });
  world.minted = [...world.minted, { label, base: 0n, at: wall, aheadMs: 0 }];
  return { label, body };
}

/** Small, so that local hand-offs reach the fence of the next return. */
const FENCES_PER_RETURN = 3;

export function mintToken(world: World, base: bigint, wall: number) {
  const label = `token#${world.minted.length}`;
  const aheadMs = Number(base >> 20n) - Math.floor(EPOCH_MS + world.model.now);
  const minted: Minted = { label, base, at: wall, aheadMs };
  const body = encodeToken({
    id: idOf(world.minted.length),
    name: LOCK,
    base,
    fencesPerReturn: FENCES_PER_RETURN,
    by: 'sim',
    at: wall,
  });
  world.minted = [...world.minted, minted];
  return { label, body };
}

/** An entry of the register. `state` is the number of a save; undefined for a seed. */
export function writeEntry(world: World, { fence, seq }: Write, state: unknown, holder = 0) {
  const { length: number } = world.written;
  const save = state === undefined ? undefined : Number(state);
  if (save === world.saves.length) world.saves = [...world.saves, { fence, seq, holder }];
  world.written = [...world.written, { fence, seq, save }];
  const entry = { id: idOf(number), fence, seq, state };
  return { label: `entry#${number}`, body: encodeEntry(entry, { name: LOCK, by: 'sim', at: 0 }) };
}

const idOf = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
