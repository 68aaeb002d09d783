import { step, vouchedMs, wakeAt } from '../../../../src/protocol/contender/step.ts';
import type {
  ContenderEvent,
  ContenderState,
  Effect,
  Rules,
} from '../../../../src/protocol/contender/types.ts';
import { surfacedSeed } from '../../../../src/protocol/contender/waiting.ts';
import type { Instant } from '../../../../src/protocol/instant.ts';
import type { Delivery, QueueDepth } from '../../../../src/protocol/port.ts';
import { decodeMessage } from '../../../../src/protocol/token.ts';
import { type Arrival, isOdd, isProof } from './arrival.ts';
import { RULES } from './fixtures.ts';
import { type Process, rule, Violation } from './process.ts';
import { QueueBook } from './queue-book.ts';

/** How long a queue that shows no token is given to show one before it may be started over. */
const GRACE_MS = 2_000;

/** What puts a new token in the place of one that must not be given back. */
const REPLACES = new Set(['purge', 'ack', 'look', 'seed', 'fence-seen', 'set-queue-known', 'end']);

export type Call = Extract<Effect, { call: number }>;

/** Runs one contender as src/acquire/contender.ts does, and checks every rule that must hold after each event. */
export class WatchedContender {
  readonly #process: Process;
  readonly #rules: Rules;
  readonly #book: QueueBook;
  state: ContenderState = { at: 'idle', epoch: 0 };
  /** Every line ever opened: whether its channel is open, was told to close, or is gone. */
  readonly lines = new Map<number, 'open' | 'closing' | 'gone'>();
  /** Calls not yet answered. */
  readonly calls: Call[] = [];
  readonly granted: bigint[] = [];
  refusals = 0;
  /** Of those granted, after a delay. */
  delayedGrants = 0;
  losses = 0;
  ends = 0;
  /** What was delivered, by line and delivery tag. */
  readonly #delivered = new Map<string, Arrival>();
  #seenBeforeDelivery = 0n;
  #lastTag = 0;
  /** Kept apart from the state under test: the token as it was last handed over, and when it was last given back. */
  #own: Arrival | undefined;
  #asked: 'requeue' | 'reject' = 'requeue';
  /** The first delivery of the token that is in hand or was given back last. */
  #first: Arrival | undefined;
  #sentAt: Instant | undefined;
  #leaseFrom: Instant | undefined;
  #arrived: Arrival | undefined;
  /** When looks behind a stray showed nothing ready, on the line that is open. */
  #emptyLooks: number[] = [];
  /** It has lost its hold to a token that must not be given back, and replaces that for others. */
  #replacesForOthers = false;
  /** What was delivered last, if it must not be given back. */
  #surfaced: { readonly id: string; readonly key: string } | undefined;
  /** What was ready has been purged, on the line that is open. */
  #purged = false;

  constructor(process: Process, changes: Partial<Rules> = {}) {
    this.#process = process;
    this.#rules = { ...RULES, ...changes };
    this.#book = new QueueBook(process);
  }

  get isOver(): boolean {
    return this.state.at === 'released' || this.state.at === 'lost';
  }

  get wakeAt(): number | undefined {
    return wakeAt(this.state, this.#rules);
  }

  /** What was asked last, for a broker that answers. */
  get asked(): 'requeue' | 'reject' {
    return this.#asked;
  }

  deliver(channelId: number, body: Uint8Array, returns: number, nacked: number | undefined): void {
    this.#lastTag += 1;
    const delivery: Delivery = { deliveryTag: this.#lastTag, body, returns, nacked };
    const message = decodeMessage(body, returns, this.#rules.name);
    const isFirst = isWaiting(this.state);
    const arrival: Arrival = { message, nacked, at: this.#process.now.mono, isFirst };
    this.#delivered.set(`${channelId}/${this.#lastTag}`, arrival);
    this.#arrived = arrival;
    const isRead =
      'channelId' in this.state && this.state.channelId === channelId && this.state.at !== 'opening';
    if (isRead) this.#surfaced = this.#surfacedIn(message, `${channelId}/${this.#lastTag}`);
    if (isFirst) {
      this.#seenBeforeDelivery = this.#process.highestSeen;
      this.#first = arrival;
    }
    this.feed({ type: 'delivered', channelId, delivery });
  }

  feed(event: ContenderEvent): void {
    const before = this.state;
    const isVoid = this.#isVoid(event);
    const [state, effects] = step(before, event, { ...this.#process }, this.#rules);
    this.state = state;
    if (before.at === 'released' || before.at === 'lost' || isVoid) {
      rule(state === before && effects.length === 0, `${event.type} is not void in ${before.at}`);
    }
    if (event.type === 'closed' && this.lines.has(event.channelId)) this.lines.set(event.channelId, 'gone');
    if (!isVoid && state !== before) this.#book.learn(event, before);
    if ('call' in event) this.#answered(event.call);
    if (event.type === 'purged' && !isVoid) this.#purged = true;
    if (before.at === 'waiting' && event.type === 'looked' && !isVoid) this.#watchLook(event.depth, effects);
    for (const effect of effects) this.#watch(effect, before);
    this.#watchRelease(event, before, effects);
    this.#check();
  }

  /** Also when the broker took it back and hands it over again: then it has come back once. */
  #surfacedIn(message: Arrival['message'], key: string): { id: string; key: string } | undefined {
    if (message.kind !== 'token') return undefined;
    const { id } = message.token;
    if ('hold' in this.state && this.state.hold.id === id) return undefined;
    const isSurfaced = id === this.#surfaced?.id || surfacedSeed(message, this.#process) !== undefined;
    return isSurfaced ? { id, key } : undefined;
  }

  /** With the token in hand a release takes the mark away; with a question under way it awaits the answer. */
  #watchRelease(event: ContenderEvent, before: ContenderState, effects: readonly Effect[]): void {
    if (event.type !== 'release' || this.#rules.grant !== 'verified' || this.state.at === 'lost') return;
    if (before.at !== 'held' || !isOdd(before.hold.nacked)) return;
    const what = effects.map((effect) => effect.do).join(' ');
    rule(what === 'requeue close', `a release leaves the mark of its hold: ${what}`);
  }

  /** Events of older lines and older calls. Time is another matter: a lease that is over ends at any event. */
  #isVoid(event: ContenderEvent): boolean {
    const { state } = this;
    if (
      vouchedMs(state, this.#rules, this.#process.now) === 0 &&
      (state.at === 'held' || state.at === 'verifying')
    )
      return false;
    if ('channelId' in event) return !('channelId' in state) || event.channelId !== state.channelId;
    if (!('call' in event)) return false;
    if (state.at === 'closing') return true;
    return event.call !== (state.at === 'waiting' ? state.foreign?.call : state.epoch);
  }

  /** A queue is purged for want of a token only after two looks that showed nothing, a grace apart. */
  #watchLook(depth: QueueDepth | 'absent', effects: readonly Effect[]): void {
    const isEmpty = depth !== 'absent' && depth.ready === 0;
    const { mono } = this.#process.now;
    if (effects.some((effect) => effect.do === 'purge')) {
      const waited = this.#emptyLooks.some((at) => mono - at >= GRACE_MS);
      rule(isEmpty && waited, 'a purge without two looks that showed nothing');
    }
    if (isEmpty) this.#emptyLooks.push(mono);
  }

  #answered(call: number): void {
    const index = this.calls.findIndex((pending) => pending.call === call);
    if (index >= 0) this.calls.splice(index, 1);
  }

  #watch(effect: Effect, before: ContenderState): void {
    const isOver = this.ends + this.losses > 0 && effect.do !== 'close';
    const mayReplace = this.#replacesForOthers && REPLACES.has(effect.do);
    rule(!isOver || mayReplace, `${effect.do} after the end`);
    switch (effect.do) {
      case 'look':
      case 'declare':
      case 'seed':
      case 'probe':
      case 'purge':
        if (effect.do === 'declare') this.#book.declared();
        rule(!this.calls.some(({ call }) => call === effect.call), 'a call number is used twice');
        this.calls.push({ do: effect.do, call: effect.call });
        break;
      case 'consume':
        rule(!this.lines.has(effect.channelId), 'a line is consumed twice');
        rule(![...this.lines.values()].includes('open'), 'a second line while one is open');
        this.lines.set(effect.channelId, 'open');
        this.#emptyLooks = [];
        this.#purged = false;
        break;
      case 'barrier':
        rule(this.#rules.mode === 'try', 'a wait sends no barrier');
        rule(this.lines.get(effect.channelId) === 'open', 'a barrier on a line that is not open');
        break;
      case 'close':
        rule(this.lines.has(effect.channelId), 'a line that never was is closed');
        rule(!this.#surfaced?.key.startsWith(`${effect.channelId}/`), 'a seed that surfaced is given back');
        if (this.lines.get(effect.channelId) === 'open') this.lines.set(effect.channelId, 'closing');
        break;
      case 'ack':
      case 'reject':
      case 'requeue': {
        const key = `${effect.channelId}/${effect.deliveryTag}`;
        const arrival = this.#delivered.get(key);
        const kind = arrival?.message.kind;
        if (effect.do === 'ack') {
          const isLeft = key === this.#surfaced?.key && this.state.at !== 'replacing';
          const isFree = kind === 'probe' || kind === 'foreign' || isLeft;
          rule(isFree || this.#purged, `ack of a ${kind} before a purge`);
          if (key === this.#surfaced?.key) this.#surfaced = undefined;
          break;
        }
        rule(arrival !== undefined && kind === 'token', `${effect.do} of a ${kind}`);
        if (effect.do === 'requeue' && isOdd(arrival.nacked) && this.#rules.grant === 'verified')
          this.#watchUnmark();
        this.#own = arrival;
        this.#asked = effect.do;
        this.#sentAt = this.#process.now;
        if (isWaiting(before) || before.at === 'delaying') this.#leaseFrom = this.#process.now;
        break;
      }
      case 'fence-seen':
        if (effect.fence > this.#process.highestSeen) this.#process.highestSeen = effect.fence;
        break;
      case 'set-queue-known':
        break;
      case 'grant':
        this.#watchGrant(effect.fence, before);
        break;
      case 'refuse':
        this.refusals += 1;
        break;
      case 'proven':
        rule(this.granted.length === 1, 'a proof without a grant');
        rule(before.at === 'granting' || before.at === 'verifying', 'a proof that nobody asked for');
        rule(this.#sentAt === effect.sentAt, 'a proof counted from another moment than its sending');
        rule(isProof(this.#own, this.#asked, this.#arrived), 'a proof by another token or another count');
        this.#leaseFrom = effect.sentAt;
        break;
      case 'lost':
        rule(this.granted.length === 1, 'lost without a grant');
        this.losses += 1;
        this.#replacesForOthers = this.state.at === 'replacing';
        break;
      case 'end':
        if (!this.#replacesForOthers) this.ends += 1;
        break;
      default:
        throw new Violation(`an effect that no protocol has: ${JSON.stringify(effect)}`);
    }
  }

  /** A mark is taken away only by who has no lease any more, and by nobody before the lease of the one before is over. */
  #watchUnmark(): void {
    rule(this.state.at === 'closing', 'the mark of a hold is taken away by a question');
    rule(this.#isDelayOver(), 'a mark is taken away before the lease of the one before is over');
  }

  #isDelayOver(): boolean {
    if (this.#first === undefined || !this.#hasDelay(this.#first)) return true;
    return this.#process.now.mono - this.#first.at >= this.#rules.leaseMs;
  }

  /** The last holder did not release it, or it was made anew and the process knew the one before. */
  #hasDelay({ nacked }: Arrival): boolean {
    return isOdd(nacked) || (nacked === 0 && this.#seenBeforeDelivery > 0n);
  }

  #watchGrant(fence: bigint, before: ContenderState): void {
    if (this.#rules.grant === 'verified') {
      rule(this.#isDelayOver(), 'a grant before the lease of the one before is over');
      if (this.#first !== undefined && this.#hasDelay(this.#first)) this.delayedGrants += 1;
      const nacked = this.#arrived?.nacked;
      rule(nacked === undefined || isOdd(nacked), 'a verified grant of a token without a mark');
    }
    const tokens = [...this.#delivered.values()].map(({ message }) => message);
    rule(
      tokens.some((message) => message.kind === 'token' && message.fence === fence),
      'a fence that no token had',
    );
    rule(fence > this.#seenBeforeDelivery, 'a fence that is not above what was seen before its delivery');
    if (isWaiting(before)) this.#leaseFrom = this.#process.now;
    if (before.at === 'granting') {
      const own = before.hold.fence + (this.#arrived?.nacked === undefined ? 1n : 2n); // its own proof is counted
      rule(this.#process.highestSeen <= own, 'a fence below one that this process has seen');
    }
    this.granted.push(fence);
  }

  #check(): void {
    const { state } = this;
    const { now } = this.#process;
    rule(this.granted.length + this.refusals <= 1, 'the caller is told twice');
    rule(this.losses + this.ends <= 1, 'it ends twice');
    rule(state.at !== 'granting' || this.granted.length === 0, 'granting, but granted already');
    if (state.at === 'held' || state.at === 'verifying') {
      rule(this.granted.length === 1, 'held without a grant');
      rule(this.lines.get(state.channelId) === 'open', 'held on a line that is not open');
      rule(this.#leaseFrom !== undefined, 'a lease from nowhere');
      const { mono, wall } = this.#leaseFrom;
      const left = now.mono - mono < this.#rules.leaseMs && now.wall - wall < this.#rules.leaseMs;
      rule(left, 'held after the end of the lease');
    }
    rule(this.#awaited() <= 1, 'two service calls are awaited at once');
    if (!this.isOver) return;
    rule(this.granted.length + this.refusals === 1, 'over, but the caller was never told');
    const isLost = state.at === 'lost' || this.#replacesForOthers;
    rule(isLost === (this.losses === 1), 'lost without saying so');
    rule(!isLost === (this.ends === 1), 'released without an end');
    rule(![...this.lines.values()].includes('open'), 'over, but a channel was left open');
  }

  /** How many of the calls under way would make a difference if they were answered now. */
  #awaited(): number {
    const { now } = this.#process;
    const held = this.state.at === 'held' || this.state.at === 'verifying';
    if (held && vouchedMs(this.state, this.#rules, now) === 0) return 0;
    return this.calls.filter(({ call }) => {
      const depth = { ready: 1, consumers: 1 };
      const answers: ContenderEvent[] = [
        { type: 'looked', call, depth },
        { type: 'declared', call, depth },
        { type: 'seeded', call },
        { type: 'probed', call },
        { type: 'purged', call },
      ];
      return answers.some((answer) => step(this.state, answer, this.#process, this.#rules)[0] !== this.state);
    }).length;
  }
}

/** The states in which a token that comes may be granted. */
const isWaiting = ({ at }: ContenderState): boolean => at === 'waiting' || at === 'replacing';
