import type { Edit } from '../mutant.ts';
import { HOLDING, one, QUESTIONS, STEP, simulated, TRANSITIONS, WAITING } from './simulated.ts';

const TOPOLOGY = 'src/protocol/queues.ts';
const CONTENDER = 'test/simulation/client/contender.ts';
const CALLS = 'test/simulation/client/calls.ts';
const REGISTER = 'test/simulation/client/register.ts';
const CONFIG = 'test/simulation/config.ts';

/** What a release does. */
const RELEASE = "[...unmarkingOf(state, rules), { do: 'close', channelId }]];";

/** The harness carries out an effect that the protocol has not: basic.cancel in the place of channel.close. */
const KNOWS_CANCEL: readonly Edit[] = [
  {
    file: CONTENDER,
    find: "    case 'close':\n      useChannel(",
    replace: "    case 'close':\n    case 'cancel' as 'close':\n      useChannel(",
  },
  {
    file: CONTENDER,
    find: "    case 'close':\n      if (own.state === 'open') {",
    replace: `    case 'cancel' as 'close':
      if (own.state !== 'open') break;
      own.state = 'closing';
      write(world, line, channelOf(own), { do: 'cancel' });
      break;
    case 'close':
      if (own.state === 'open') {`,
  },
];

/** Rules that keep a client out of the traps of docs/protocol.md. */
export const TRAPS = simulated([
  {
    trap: 1,
    name: 'giving up by basic.cancel',
    edits: [
      ...one(
        TRANSITIONS,
        "return [{ at: 'closing', epoch, channelId }, [...tell, { do: 'close', channelId }]];",
        "return [{ at: 'closing', epoch, channelId }, [...tell, { do: 'cancel' as 'close', channelId }]];",
      ),
      ...KNOWS_CANCEL,
    ],
  },
  {
    trap: 1,
    name: 'releasing by basic.cancel',
    edits: [
      ...one(HOLDING, RELEASE, "[...unmarkingOf(state, rules), { do: 'cancel' as 'close', channelId }]];"),
      ...KNOWS_CANCEL,
    ],
  },
  {
    trap: 2,
    name: 'a lost lease keeps its channel',
    edits: one(HOLDING, "if (open) effects.push({ do: 'close', channelId: state.channelId });", ''),
  },
  {
    trap: 2,
    name: 'a void place keeps its channel',
    edits: one(
      TRANSITIONS,
      'if (end === undefined) return after([close], consume(from));',
      'if (end === undefined) return consume(from);',
    ),
  },
  {
    trap: 3,
    name: 'proof: the token came back',
    edits: one(QUESTIONS, 'if (sameToken && isAnswer(hold, delivery, asked))', 'if (sameToken)'),
  },
  {
    trap: 3,
    name: 'proof: the count alone',
    world: 'two tokens',
    edits: one(
      QUESTIONS,
      'if (sameToken && isAnswer(hold, delivery, asked))',
      'if (isAnswer(hold, delivery, asked))',
    ),
  },
  {
    trap: 3,
    name: 'proof: any higher count',
    edits: one(
      QUESTIONS,
      'if (sameToken && isAnswer(hold, delivery, asked))',
      'if (sameToken && returns > hold.returns)',
    ),
  },
  {
    trap: 4,
    name: 'release: ack and publish again',
    edits: one(
      HOLDING,
      RELEASE,
      `[
    { do: 'ack', channelId, deliveryTag: hold.deliveryTag },
    { do: 'seed', call: epoch },
    { do: 'close', channelId },
  ]];`,
    ),
  },
  {
    trap: 5,
    name: 'a probe is granted',
    edits: [
      ...one(
        'src/protocol/token.ts',
        "if (head.data.kind === 'probe') return { kind: 'probe' };",
        `if (head.data.kind === 'probe') {
    const { id, by, at } = json as Token;
    return { kind: 'token', token: { id, name, base: 0n, fencesPerReturn: 1, by, at }, returns, fence: fenceOf(0n, returns, 1) };
  }`,
      ),
      ...one(
        WAITING,
        'if (live && !state.abandoned) return grant(',
        'if (message.token.base === 0n || (live && !state.abandoned)) return grant(',
      ),
    ],
  },
  {
    trap: 5,
    name: 'an old seed is granted',
    edits: one(
      WAITING,
      'return surfacedSeed(message, inputs) === undefined && message.fence > inputs.highestSeen;',
      'return message.fence > inputs.highestSeen;',
    ),
  },
  {
    trap: 6,
    name: 'publishing on a lock connection',
    edits: one(
      CALLS,
      "PUBLISHES.includes(what) ? 'publisher' : 'service'",
      "PUBLISHES.includes(what) ? 'locks' : 'service'",
    ),
  },
  {
    trap: 6,
    name: 'publishing on the service connection',
    edits: one(
      CALLS,
      "PUBLISHES.includes(what) ? 'publisher' : 'service'",
      "PUBLISHES.includes(what) ? 'service' : 'service'",
    ),
  },
  {
    trap: 7,
    name: 'a request on the channel of a holder',
    edits: one(WAITING, '[...known, question],', "[...known, question, { do: 'barrier', channelId }],"),
  },
  {
    trap: 8,
    name: 'no delivery limit',
    edits: one(TOPOLOGY, "    'x-delivery-limit': 1_000_000_000,\n", ''),
  },
  {
    trap: 8,
    name: 'delivery limit -1',
    edits: one(TOPOLOGY, "'x-delivery-limit': 1_000_000_000", "'x-delivery-limit': -1"),
  },
  {
    trap: 8,
    name: 'a lease of two heartbeats and more',
    edits: one(
      'src/options.ts',
      'leaseMs: wholeMs(300).default(15_000)',
      'leaseMs: wholeMs(300).default(31_000)',
    ),
  },
  {
    trap: 8,
    name: 'no heartbeats',
    edits: one(CONFIG, 'heartbeatMs: 10_000', 'heartbeatMs: 1e9'),
  },
  {
    trap: 9,
    name: 'a lease counted from the answer',
    edits: one(
      HOLDING,
      'const held = proven(state, answer, rules);',
      'const held = { ...proven(state, answer, rules), provenAt: inputs.now };',
    ),
  },
  {
    trap: 9,
    name: 'a lease ended by a timer alone',
    edits: one(
      STEP,
      "state.at === 'verifying' ? remainingMs(state, rules, now) : 0",
      "state.at === 'verifying' ? Math.max(1, remainingMs(state, rules, now)) : 0",
    ),
  },
  {
    trap: 9,
    name: 'a lease on the monotonic clock alone',
    edits: one(
      'src/protocol/instant.ts',
      'Math.max(now.mono - from.mono, now.wall - from.wall)',
      'now.mono - from.mono',
    ),
  },
  {
    trap: 9,
    name: 'a lease on the wall clock alone',
    edits: one(
      'src/protocol/instant.ts',
      'Math.max(now.mono - from.mono, now.wall - from.wall)',
      'now.wall - from.wall',
    ),
  },
  {
    trap: 10,
    name: 'a proof with nothing left of the lease',
    world: 'clocks, one holder',
    edits: one(HOLDING, 'if (remainingMs(held, rules, inputs.now) === 0) {', 'if (inputs.now.mono < 0) {'),
  },
  {
    trap: 12,
    name: 'a queue is recreated at once',
    edits: one(TRANSITIONS, 'until: now.mono + recreateAfterMs,', 'until: now.mono,'),
  },
  {
    trap: 12,
    name: 'on 3.x a new name is declared without a look',
    edits: one(
      TOPOLOGY,
      '{ recreateAfterMs: 100, looksFirst: true }',
      '{ recreateAfterMs: 100, looksFirst: false }',
    ),
  },
  {
    trap: 12,
    name: 'on 3.x no limit behind a consume',
    edits: one(REGISTER, "config.version === '3.10'", 'config.clients === 0'),
  },
  {
    trap: 14,
    name: 'the grace begins again with each foreign message',
    edits: one(
      WAITING,
      'forgetOldGrace({ ...state, foreignCount: state.foreignCount + 1 }, inputs.now.mono)',
      '{ ...state, graceUntil: undefined }',
    ),
  },
  {
    trap: 15,
    name: 'one empty look is enough to start over',
    edits: one(WAITING, 'if (isOver(graceUntil, now))', 'if (true)'),
  },
]);
