import { isWithheld } from '../../../src/protocol/register/step.ts';
import type { Handed } from '../../../src/protocol/register/types.ts';
import type { Client, Contender } from '../client/state.ts';
import { type ModelEvent, ready } from '../model/index.ts';
import { say, type World, type Write } from '../world.ts';
import { allowed } from './leases.ts';
import { type ChecksState, Violation } from './state.ts';

/** Holders give their entry back every 5 min, and write it again when it has come back more than 100 times. */
const GIVEN_BACK_MS = 300_000;
const RETURNS = 100;
/** Returns that come about before and while it is written again: quick releases can end that again and again. */
const MORE_RETURNS = 60;

const NOTHING: Write = { fence: 0n, seq: 0 };

const name = (client: Client, contender: Contender) => `client ${client.id}.${contender.id}`;

const show = (world: World, save: number | undefined): string => {
  const write = save === undefined ? undefined : world.saves[save];
  return write === undefined ? 'nothing' : `save ${save} (${write.fence}, ${write.seq})`;
};

const rankOf = (world: World, save: number | undefined): Write =>
  (save === undefined ? undefined : world.saves[save]) ?? NOTHING;

const holderOf = (world: World, save: number | undefined): number =>
  (save === undefined ? undefined : world.saves[save]?.holder) ?? 0;

function isBelow(one: Write, other: Write): boolean {
  return one.fence === other.fence ? one.seq < other.seq : one.fence < other.fence;
}

/** A grant with state: it has all that was confirmed, and nothing that somebody wrote who had been followed. */
export function onHanded(
  world: World,
  client: Client,
  contender: Contender,
  { state, minted }: Handed,
): void {
  const { checks } = world;
  const save = state === undefined ? undefined : Number(state);
  say(world, () => `${name(client, contender)} is handed ${show(world, save)}`);
  if (minted !== (save === undefined) || (save !== undefined && world.saves[save] === undefined)) {
    throw new Violation('a save is kept', `${name(client, contender)} is handed what nobody saved`);
  }
  const grant = { handOut: contender.watched.grantedHandOut, save };
  for (const confirmed of checks.confirmed) checkKept(world, grant, confirmed, contender);
  const before = checks.handed.findLast(({ handOut }) => handOut < grant.handOut);
  if (before !== undefined && before.save !== save && holderOf(world, save) < before.handOut)
    checkLate(world, before, save);
  checks.handed = [...checks.handed, grant].sort((a, b) => a.handOut - b.handOut);
  if (save !== undefined && !checks.confirmed.includes(save)) checks.confirmed = [...checks.confirmed, save];
}

/** The caller has been told that its save is done. */
export function onSaved(world: World, client: Client, contender: Contender, save: number): void {
  const { checks } = world;
  say(world, () => `${name(client, contender)} is told that ${show(world, save)} is done`);
  checks.saved += 1;
  if (!contender.granted || isWithheld({ contender: contender.state, register: contender.register })) {
    throw new Violation('a save is kept', `${show(world, save)} is confirmed to somebody who has no lock`);
  }
  checks.confirmed = [...checks.confirmed, save];
  for (const grant of checks.handed) checkKept(world, grant, save, contender);
}

type Grant = ChecksState['handed'][number];

/** Anybody who was handed the token later has it or more, and so has everybody who is granted later. */
function checkKept(world: World, grant: Grant, confirmed: number, { watched }: Contender): void {
  const { checks, config } = world;
  const isMore = !isBelow(rankOf(world, grant.save), rankOf(world, confirmed));
  if (isMore || checks.destroyed.includes(confirmed)) return;
  if (grant.handOut <= holderOf(world, confirmed)) {
    if (checks.handed.includes(grant)) return; // it came first
    // Granted later than somebody who was handed the token later, by deliveries of links that had dropped.
    if (watched.excuse === 'link' && config.version !== '4.3') {
      allowed(world, 'old delivery taken for the answer');
      return;
    }
  }
  const what = `${show(world, confirmed)} was confirmed, and somebody later was handed ${show(world, grant.save)}`;
  throw new Violation('a save is kept', what);
}

/** It was written by somebody whose successor had been handed something else. */
function checkLate(world: World, before: Grant, save: number | undefined): void {
  const { checks } = world;
  if (save === undefined || (before.save !== undefined && checks.destroyed.includes(before.save))) return;
  if (checks.read.includes(save)) {
    allowed(world, 'late save reached one who left');
    return;
  }
  const what = `${show(world, save)} is handed over, after somebody was granted without it`;
  throw new Violation('a late save has no effect', what);
}

/** What the register's leader did. */
export function watchRegister(world: World, event: ModelEvent): void {
  const { checks } = world;
  if (!('message' in event)) return;
  const { label, returns } = event.message;
  const entry = world.written[Number(label.slice(label.indexOf('#') + 1))];
  if (!label.startsWith('entry')) return;
  // The register is not what mends fences any more, and a late save may be all that there is.
  if (event.was === 'destroyed' && event.why !== 'unrouted') checks.handed = [];
  if (entry?.save === undefined) return;
  const { save } = entry;
  switch (event.was) {
    case 'taken':
      // Anybody who had it in hand has gone without an ack.
      if (event.why !== 'nack' && !checks.read.includes(save) && !checks.confirmed.includes(save))
        checks.read = [...checks.read, save].sort((a, b) => a - b);
      break;
    case 'destroyed': {
      say(world, () => `${label}, ${show(world, save)}, is destroyed (${event.why})`);
      if (event.why === 'limit')
        throw new Violation('a save is kept', 'the broker destroyed an entry by its limit');
      // What nobody had in hand was confirmed to nobody.
      const wasHeld = event.why === 'policy' || event.why === 'deleted' || returns > 0;
      if (!wasHeld) break;
      const rank = rankOf(world, save);
      const up = world.saves.flatMap((each, number) => (isBelow(rank, each) ? [] : [number]));
      checks.destroyed = [...new Set([...checks.destroyed, ...up])];
    }
  }
}

/** Without its register nothing that a holder saves comes through. */
export function checkCancelled(client: Client, contender: Contender): void {
  if (!contender.granted || contender.register === undefined) return;
  throw new Violation('a loss is told', `${name(client, contender)} holds on without a register`);
}

/** Notes since when a holder has had its entry in hand. */
export function onKept({ model }: World, { register, watched }: Contender): void {
  if (register?.at !== 'kept' || register.kept.deliveryTag === watched.keptTag) return;
  watched.keptTag = register.kept.deliveryTag;
  watched.keptSince = model.now;
}

/** The broker's consumer timeout runs for an entry too. */
export function checkGivenBack({ model, config }: World, { register, watched, granted }: Contender): void {
  if (register?.at !== 'kept' || !granted || register.away !== undefined) return;
  const age = model.now - watched.keptSince;
  if (age <= GIVEN_BACK_MS + config.longestStallMs) return;
  throw new Violation('the wire', `an entry is kept for ${age} ms without being given back`);
}

/** In the end there is one entry, and its log does not grow without end. */
export function checkEntries(world: World): void {
  const { register } = world.model.queues;
  const entries = register === undefined ? [] : ready(register);
  const [entry] = entries;
  if (entry === undefined || entries.length > 1 || !entry.label.startsWith('entry')) {
    const labels = entries.map(({ label }) => label).join(', ');
    throw new Violation('one live entry', `in the end the register has ${labels || 'nothing'}`);
  }
  if (entry.returns > RETURNS + MORE_RETURNS)
    throw new Violation('one live entry', `${entry.label} has come back ${entry.returns} times`);
}
