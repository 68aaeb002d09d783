import { vouchedMs } from '../../../src/protocol/contender/step.ts';
import type { Client, Contender, Watched } from '../client/state.ts';
import { TIMES } from '../config.ts';
import { type Message, nackedOf } from '../model/index.ts';
import { instantOf, say, type World } from '../world.ts';
import { checkFence, waitsForLeases } from './fences.ts';
import { checkPlace } from './order.ts';
import { checkGivenBack } from './register.ts';
import { type ExceptionName, type ResolvedGrant, Violation } from './state.ts';

/** How long a holder whose queue was deleted, or whose channel was ended, may take to find out when its line is alive. */
const TOLD_MS = 300;

/** A token that nobody ever had and that is older than this is not the live one (docs/protocol.md). */
const STALE_SEED_MS = 60_000;

const label = (client: Client, contender: Contender) => `client ${client.id}.${contender.id}`;

export function allowed(world: World, exception: ExceptionName): void {
  const { checks, config } = world;
  if (config.allows?.includes(exception) === false) {
    throw new Violation('no exception', `"${exception}" cannot be here`);
  }
  const times = checks.exceptions[exception] ?? 0;
  checks.exceptions = { ...checks.exceptions, [exception]: times + 1 };
  say(world, () => `allowed: ${exception}`);
}

/**
 * After two flaps two old deliveries of a token can lie in the socket, the second one count higher than the first: it
 * looks like the answer to a question that is sent in between. Both were handed out before the rival had its grant.
 */
export function isOldDelivery(
  { config }: World,
  { excuse, handOut }: Watched,
  rival: ResolvedGrant,
): boolean {
  return excuse === 'link' && config.version !== '4.3' && handOut <= rival.handOuts;
}

/** What the caller would be told now: the product's own answer, on the caller's clocks. */
export function validMs(world: World, client: Client, contender: Contender): number {
  if (!contender.granted) return 0;
  return vouchedMs(contender.state, contender.rules, instantOf(world, client));
}

export function onRead(
  world: World,
  client: Client,
  contender: Contender,
  read: Message,
  handOut: number,
): void {
  const { label: message, returns } = read;
  const { watched } = contender;
  watched.handOut = handOut;
  watched.read = numberOf(message);
  watched.handedToken = message.startsWith('token');
  if (!watched.handedToken) watched.foreignMessages += 1;
  const bornAt = world.minted[watched.read]?.at ?? Number.POSITIVE_INFINITY;
  const isStale =
    watched.handedToken && returns === 0 && instantOf(world, client).wall - bornAt > STALE_SEED_MS;
  watched.staleTag = isStale ? watched.deliveryTag : undefined;
  if (contender.state.at !== 'waiting' && contender.state.at !== 'replacing') return;
  watched.floor = world.checks.highestResolved;
  watched.token = watched.read;
  watched.sentAt = undefined;
  const madeAt = world.minted[watched.token]?.at ?? Number.POSITIVE_INFINITY;
  const isFirstHand = (nackedOf(world.config.version, read) ?? 0) === 0;
  if (watched.handedToken && isFirstHand && client.record.highestSeen === 0n)
    world.checks.newcomers = [...world.checks.newcomers, watched.token];
  watched.surfaced = returns === 0 && instantOf(world, client).wall - madeAt > STALE_SEED_MS;
}

/** A label is a kind and a number. */
export const numberOf = (label: string): number => Number(label.slice(label.indexOf('#') + 1));

/** Who released has said so, and nobody waits for a lease that is over. */
export function onDelay(world: World, client: Client, contender: Contender): void {
  world.checks.delays += 1;
  say(world, () => `${label(client, contender)} waits for the end of the last lease`);
  if (world.config.noDelays)
    throw new Violation('a release costs no delay', `${label(client, contender)} waits for a lease`);
}

export function onGrant(world: World, client: Client, contender: Contender, fence: bigint): void {
  const { watched } = contender;
  // With state, or handed over inside, the hold was proven before, and a further question may be under way. Without a
  // question the lease runs from the delivery.
  if (contender.register === undefined && !contender.granted)
    watched.provenAt = watched.sentAt ?? instantOf(world, client);
  contender.granted = true;
  watched.fence = fence;
  world.checks.grants += 1;
  say(world, () => `${label(client, contender)} is GRANTED, fence ${short(world, watched.token, fence)}`);
  if (fence <= client.highestGranted) {
    throw new Violation(
      'fences rise',
      `${label(client, contender)} is granted less than its own process had before`,
    );
  }
  client.highestGranted = fence;
  if (world.checks.resolved.some((grant) => grant.token === watched.token && grant.fence === fence))
    throw new Violation('fences rise', `${short(world, watched.token, fence)} is granted twice`);
  checkFence(world, contender, fence);
  endExcuses(world, client, contender);
  checkPlace(world, contender);
  watched.place = undefined;
  const handOuts = world.model.handOuts;
  world.checks.resolved = [...world.checks.resolved, { fence, token: watched.token, handOuts }];
  if (fence > world.checks.highestResolved) world.checks.highestResolved = fence;
  checkExclusion(world);
}

/**
 * Who is granted a token that replaced another, and knew the lock before, has waited for anybody who may have believed. So has
 * anybody who was told of a deletion, for the holders of that queue, whatever token it is granted.
 */
function endExcuses(world: World, client: Client, next: Contender): void {
  if (!waitsForLeases(world)) return;
  const isNewcomers = world.checks.newcomers.includes(next.watched.token);
  for (const { contenders } of world.clients) {
    for (const { watched } of contenders) {
      if (watched.excuse !== 'deleted' && watched.excuse !== 'destroyed') continue;
      const wasTold = client.toldOfEndAt >= (watched.unseatedAt ?? Number.POSITIVE_INFINITY);
      if (!isNewcomers || wasTold) watched.excuse = undefined;
    }
  }
}

/** The lease is over. The next one of this process begins at once, or when the hold has been proven again. */
export function onPassOn(world: World, client: Client, contender: Contender): void {
  if (contender.state.at !== 'granting') return;
  contender.granted = false;
  say(world, () => `${label(client, contender)} waits for a proof of its own`);
}

/** The token goes back to the queue, to be handed out again if nobody else is to have it. */
export function onAsk(world: World, client: Client, { watched }: Contender): void {
  watched.sentAt = instantOf(world, client);
  const rivals = world.checks.resolved.filter(({ token }) => token === watched.token);
  watched.rival = rivals.reduce<ResolvedGrant | undefined>(
    (highest, grant) => (highest !== undefined && highest.fence > grant.fence ? highest : grant),
    undefined,
  );
}

/** Nobody can prove a hold when the token was granted to somebody else before he asked, or by another token. */
export function onProof(world: World, client: Client, contender: Contender): void {
  const { watched } = contender;
  watched.provenAt = watched.sentAt;
  // Anybody who is overtaken by his register starts over with this proof.
  const holds = contender.state.at !== 'replacing';
  if (holds && vouchedMs(contender.state, contender.rules, instantOf(world, client)) === 0) {
    throw new Violation(
      'a loss is told',
      `${label(client, contender)} is proven with nothing left of its lease`,
    );
  }
  if (watched.read !== watched.token) {
    throw new Violation(
      'mutual exclusion',
      `${label(client, contender)} is proven by another token than its own`,
    );
  }
  const { rival, fence } = watched;
  if (rival === undefined || fence === undefined || rival.fence <= fence) return;
  if (isOldDelivery(world, watched, rival)) {
    allowed(world, 'old delivery taken for the answer');
  } else {
    throw new Violation(
      'mutual exclusion',
      `${label(client, contender)} is proven, but was followed by another holder`,
    );
  }
}

export function onLost(world: World, client: Client, contender: Contender, reason: string): void {
  if (!contender.granted)
    throw new Violation('a loss is told', `${label(client, contender)} loses what it was never granted`);
  if (world.config.losses?.includes(reason) === false) {
    throw new Violation('a hold lasts', `${label(client, contender)} loses the lock: ${reason}`);
  }
  world.checks.losses += 1;
  say(world, () => `${label(client, contender)} LOSES the lock: ${reason}`);
}

interface Valid {
  readonly client: Client;
  readonly contender: Contender;
  readonly leftMs: number;
}

function validLeases(world: World): Valid[] {
  const valid: Valid[] = [];
  for (const client of world.clients) {
    for (const contender of client.contenders) {
      const leftMs = validMs(world, client, contender);
      if (leftMs > 0) valid.push({ client, contender, leftMs });
    }
  }
  return valid;
}

/** Two leases that are valid at the same instant: one of them must have an excuse, and not for longer than promised. */
export function checkExclusion(world: World): void {
  const valid = validLeases(world);
  if (valid.length < 2) return;
  const excused = valid.filter(({ contender }) => contender.watched.excuse !== undefined);
  if (excused.length < valid.length - 1) {
    const names = valid.map(({ client, contender }) => label(client, contender)).join(' and ');
    throw new Violation('mutual exclusion', `${names} hold the lock at once, and nothing explains it`);
  }
}

/** Time passes while these leases are valid. Called before the clocks move. */
export function overlapGrows(world: World, ms: number): void {
  const valid = validLeases(world);
  checkToldInTime(world, valid);
  if (valid.length < 2) return;
  // The holder by the broker's book is the one without an excuse, or the one that was granted last.
  for (const one of valid) {
    const { watched } = one.contender;
    if (watched.excuse === undefined) continue;
    const others = valid.filter((each) => each !== one).map(({ leftMs }) => leftMs);
    const together = Math.min(ms, one.leftMs, Math.max(...others));
    watched.overlapMs += together;
    if (canHear(world, one.client)) watched.hearingMs += together;
    checkBounds(world, one);
    world.checks.longestOverlapMs = Math.max(world.checks.longestOverlapMs, watched.overlapMs);
  }
}

const EXCEPTION_OF = {
  link: 'link dropped, nobody told',
  ended: 'connection ended by the broker',
  deleted: 'deleted while held',
  destroyed: 'token destroyed after it was taken back',
  forgotten: 'forgotten holder (3.x)',
  woken: 'suspended, and its clock set back',
} as const;

function checkBounds(world: World, { client, contender }: Valid): void {
  const { excuse, overlapMs, hearingMs } = contender.watched;
  if (excuse === undefined || overlapMs === 0) return;
  allowed(world, EXCEPTION_OF[excuse]);
  const isTold = excuse === 'ended' || excuse === 'deleted' || excuse === 'woken';
  const longest = TIMES.leaseMs + TIMES.verifyEveryMs;
  if (overlapMs <= longest && (!isTold || hearingMs <= TOLD_MS)) return;
  const what = `${label(client, contender)} overlaps with others for ${overlapMs} ms`;
  throw new Violation('mutual exclusion', `${what}, in ${hearingMs} of which it could have been told`);
}

/** Whether what the broker says comes through at once. */
function canHear(world: World, { pausedAt, lines: { locks, service } }: Client): boolean {
  const isAlive = [locks, service].every(
    ({ upStalledAt, downStalledAt }) => upStalledAt === undefined && downStalledAt === undefined,
  );
  return isAlive && pausedAt === undefined && world.linkSince.every((at) => at === undefined);
}

/** A process that runs has told its callers of a loss before time goes on, unless only the wall clock went past the end. */
export function checkToldAtAll(world: World): void {
  for (const client of world.clients) {
    if (client.pausedAt !== undefined) continue;
    for (const contender of client.contenders) {
      const { state, watched } = contender;
      checkGivenBack(world, contender);
      if (!contender.granted || (state.at !== 'held' && state.at !== 'verifying')) continue;
      if (watched.provenAt === undefined) continue;
      if (instantOf(world, client).mono - watched.provenAt.mono < TIMES.leaseMs) continue;
      throw new Violation(
        'a loss is told',
        `${label(client, contender)} was not told that its lease is over`,
      );
    }
  }
}

/** A lease is never valid for longer than its last proof allows, by the harness's own book. */
function checkToldInTime(world: World, valid: readonly Valid[]): void {
  for (const { client, contender, leftMs } of valid) {
    const { provenAt } = contender.watched;
    const now = instantOf(world, client);
    if (provenAt === undefined) throw new Violation('a loss is told', 'a lease without a proof');
    const age = Math.max(now.mono - provenAt.mono, now.wall - provenAt.wall);
    if (age + leftMs > TIMES.leaseMs) {
      const what = `${label(client, contender)} believes for ${age + leftMs} ms after its last proof was sent`;
      throw new Violation('a loss is told', what);
    }
  }
}

export function short(world: World, token: number, fence: bigint): string {
  const minted = world.minted[token];
  return minted === undefined ? String(fence) : `${minted.label}+${fence - minted.base}`;
}
