import { behindTheToken, type ContractMutant } from '../mutant.ts';

const HANDED_ON_UNTOLD =
  'a holder whose token was handed on untold finds out with its next verification, though the token came back';

const NOT_RELEASED =
  'a lock that was not released is granted to a verified waiter not before the lease is over, from 4.3 on';

/** Rules about what an answer of the broker means, and what is done about it. */
export const protocolMutants: readonly ContractMutant[] = [
  {
    name: 'proof by echo',
    why: 'A holder whose token was granted to somebody else meanwhile takes its return for proof, so two believe.',
    edits: [
      {
        file: 'src/protocol/contender/proof.ts',
        find: 'if (sameToken && isAnswer(hold, delivery, asked))',
        replace: 'if (sameToken)',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title: 'a token that was handed on while a verification was under way, and came back, is no proof',
    },
  },
  {
    name: 'proof by count only',
    why: 'Another token whose count happens to be one higher passes for proof of a token that is gone.',
    edits: [
      {
        file: 'src/protocol/contender/proof.ts',
        find: 'if (sameToken && isAnswer(hold, delivery, asked))',
        replace: 'if (isAnswer(hold, delivery, asked))',
      },
    ],
    caughtBy: { harness: 'memory', title: 'another token whose count happens to be one higher is no proof' },
  },
  {
    name: 'ack and republish as the release',
    why: 'In the moment of the ack whatever lies behind the token becomes live, fences fall, and an alarm stalls every release.',
    edits: [
      {
        file: 'src/protocol/contender/holding.ts',
        find: "[...unmarkingOf(state, rules), { do: 'close', channelId }]];",
        replace: `[
    { do: 'ack', channelId, deliveryTag: hold.deliveryTag },
    { do: 'seed', call: epoch },
    { do: 'close', channelId },
  ]];`,
      },
    ],
    caughtBy: { harness: 'memory', title: behindTheToken('a second seed') },
  },
  {
    name: 'a probe granted',
    why: 'A probe has no base and a time to live: the fence falls, and at its return the lock is without a token again.',
    edits: [
      {
        file: 'src/protocol/token.ts',
        find: "if (head.data.kind === 'probe') return { kind: 'probe' };",
        replace: `if (head.data.kind === 'probe') {
    const { id, by, at } = json as Token;
    return { kind: 'token', token: { id, name, base: 0n, fencesPerReturn: 1, by, at }, returns, fence: fenceOf(0n, returns, 1) };
  }`,
      },
      {
        file: 'src/protocol/contender/waiting.ts',
        find: 'if (live && !state.abandoned) return grant(',
        replace: 'if (message.token.base === 0n || (live && !state.abandoned)) return grant(',
      },
    ],
    caughtBy: { harness: 'memory', title: behindTheToken('a probe') },
  },
  {
    name: 'a lost lease keeps its channel',
    why: 'Its consumer stays in line, is handed the token again, and holds a lock for nobody.',
    edits: [
      {
        file: 'src/protocol/contender/holding.ts',
        find: "if (open) effects.push({ do: 'close', channelId: state.channelId });",
        replace: '',
      },
    ],
    caughtBy: { harness: 'memory', title: HANDED_ON_UNTOLD },
  },
  {
    name: 'a verified grant does not wait',
    why: 'A delivery that was stuck while the broker granted the next waiter is given to the caller: two hold the lock.',
    edits: [
      {
        file: 'src/protocol/contender/waiting.ts',
        find: 'if (grantsVerified(rules.grant, traits) || !inputs.ranLately) {',
        replace: 'if (!inputs.ranLately) {',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title: 'a verified grant is not taken in by a delivery that was stuck in a frozen line',
    },
  },
  {
    name: 'giving up waits for the broker',
    why: 'On a dead line a timeout or an abort settles minutes late, when TCP gives up.',
    edits: [
      {
        file: 'src/acquire/contender.ts',
        find: "this.#tell({ type: 'refused', refusal: effect.refusal });",
        replace: 'this.refusal = effect.refusal;',
      },
      {
        file: 'src/acquire/contender.ts',
        find: "    this.#tell({ type: 'ended' });",
        replace: `    if (this.refusal !== undefined) this.#tell({ type: 'refused', refusal: this.refusal });
    this.#tell({ type: 'ended' });`,
      },
    ],
    caughtBy: {
      harness: 'memory',
      title: 'a timeout or an abort settles within a second on a frozen line, and so does a try',
    },
  },
  {
    name: 'no probe is ever sent',
    why: 'After a purge those who already wait are never granted.',
    edits: [
      {
        file: 'src/acquire/lock-records.ts',
        find: "this.#inBackground(errand === 'look' ? this.look() : this.#probeForToken());",
        replace: "if (errand === 'look') this.#inBackground(this.look());",
      },
    ],
    caughtBy: {
      harness: 'memory',
      title: 'a purged lock heals under waiters that never give up, by a probe',
    },
  },
  {
    name: 'throwIfLost believes the timer',
    why: 'A process that was stopped wakes up before its timers fire and writes although somebody else holds the lock.',
    edits: [
      {
        file: 'src/acquire/lease.ts',
        find: "get loss(): LeaseLostError | undefined {\n    this.#hold.dispatch({ type: 'wake' });",
        replace: 'get loss(): LeaseLostError | undefined {',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'a holder that stood still for longer than its lease knows at the next instruction, before any timer has run',
    },
  },
  {
    name: 'a lease counted from the answer',
    why: 'An answer that was late by seconds extends the lease beyond the moment in which the broker gives the holder up.',
    edits: [
      {
        file: 'src/protocol/contender/holding.ts',
        find: 'const held = proven(state, answer, rules);',
        replace: 'const held = { ...proven(state, answer, rules), provenAt: inputs.now };',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title: 'a lease counts from the sending of its proof, not from a late answer',
    },
  },
  {
    name: 'a token below the highest fence is granted',
    why: 'When the live token was destroyed, a second seed that lay behind it hands out fences that were used before.',
    edits: [
      {
        file: 'src/protocol/contender/waiting.ts',
        find: 'return surfacedSeed(message, inputs) === undefined && message.fence > inputs.highestSeen;',
        replace: 'return surfacedSeed(message, inputs) === undefined;',
      },
    ],
    caughtBy: { harness: 'memory', title: behindTheToken('a second seed with a lower base') },
  },
  {
    name: 'a local hand-off keeps the fence',
    why: 'Two holders have the same fence, so a resource takes a late write of the first one.',
    edits: [
      {
        file: 'src/protocol/contender/holding.ts',
        find: 'const fence = highestSeen >= hold.fence ? highestSeen + 1n : hold.fence + 1n;',
        replace: 'const fence = highestSeen >= hold.fence ? highestSeen : hold.fence;',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'eight callers in each of three coordinators with localBatch never overlap, and their fences rise',
    },
  },
  {
    name: 'a local hand-off without the proof that grants await',
    why: 'Below 4.3 the token may be with somebody else, untold; a new holder would be told for sure that it is not.',
    edits: [
      {
        file: 'src/protocol/contender/holding.ts',
        find: 'if (isProven && ranLately)',
        replace: 'if (ranLately)',
      },
    ],
    caughtBy: {
      harness: 'proxied',
      title: 'a grant that is to be verified needs a proof of the last 20 ms at a local hand-off too',
    },
  },
  {
    name: 'a local hand-off without end',
    why: 'A busy process never gives the lock back while others wait in the queue.',
    edits: [
      {
        file: 'src/acquire/handoff-group.ts',
        find: 'return this.#places > 0 && !this.#retired',
        replace: 'return !this.#retired',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'localBatch calls of one process are served in a row, in their order, and then it is the next one’s turn',
    },
  },
  {
    name: 'stall guard off',
    why: 'A process that stood still takes a delivery that lay in its socket for a grant, while somebody else holds the lock.',
    edits: [
      {
        file: 'src/protocol/contender/waiting.ts',
        find: 'if (grantsVerified(rules.grant, traits) || !inputs.ranLately) {',
        replace: 'if (grantsVerified(rules.grant, traits)) {',
      },
    ],
    caughtBy: {
      harness: 'rabbitmq',
      title:
        'a waiter that was stopped while the token came to it does not take the old delivery for a grant',
    },
  },
  {
    name: 'a marked token is granted at once',
    why: 'Its holder may not know yet that the broker has taken it back: two hold the lock.',
    edits: [
      {
        file: 'src/protocol/contender/waiting.ts',
        find: 'if (hasMark(hold, rules)) {',
        replace: 'if (hold.returns < 0) {',
      },
    ],
    caughtBy: { harness: 'memory', title: NOT_RELEASED },
  },
  {
    name: 'a question that takes the mark away',
    why: 'A holder that dies after an odd number of questions looks like one that has released: two hold the lock.',
    edits: [
      {
        file: 'src/protocol/contender/proof.ts',
        find: "countsApart(hold, traits) ? 'reject' : 'requeue';",
        replace: "countsApart(hold, traits) ? 'requeue' : 'requeue';",
      },
    ],
    caughtBy: { harness: 'memory', title: NOT_RELEASED },
  },
  {
    name: 'a release leaves its mark',
    why: 'Every hand-over takes as long as a lease.',
    edits: [
      {
        file: 'src/protocol/contender/holding.ts',
        find: "return state.at === 'held' && hasMark(state.hold, rules) ? unmarking(state, state.hold) : [];",
        replace: 'return hasMark(state.hold, rules) ? [] : [];',
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'after a release a verified waiter is granted at once, in whatever moment of its questions that is',
    },
  },
  {
    name: 'who gives up during the delay leaves at once',
    why: 'Callers who wait for less than a lease never hold the lock again once a holder has died.',
    edits: [
      {
        file: 'src/protocol/contender/delaying.ts',
        find: "return [{ ...state, abandoned: true }, [{ do: 'refuse', refusal: { why: 'gave-up' } }]];",
        replace: "return leave(state, { why: 'gave-up' });",
      },
    ],
    caughtBy: {
      harness: 'memory',
      title:
        'callers who wait for less than a lease, and tries, come to a lock that was not released all the same',
    },
  },
];
