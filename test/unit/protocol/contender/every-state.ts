import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import {
  closing,
  delaying,
  granting,
  held,
  LINE,
  lookingBehindStray,
  NOW,
  opening,
  parting,
  renewing,
  V3_10,
  V4_0,
  verifying,
  waiting,
} from './fixtures.ts';

const stray = { deliveryTag: 2, call: undefined, lookAt: NOW.mono + 500 };

const OWED = { owedUntil: NOW.mono + 60_000 };
const LONG_LOG = { releases: true, abandoned: true, traits: V4_0 };

export const STATES = {
  idle: { at: 'idle', turn: 0 },
  looking: opening('looking'),
  'looking only whether there is a queue': opening('looking', { unchecked: true }),
  declaring: opening('declaring'),
  seeding: opening('seeding'),
  consuming: opening('consuming'),
  'trying to publish': renewing('trying', { ...LONG_LOG, traits: V3_10 }),
  purging: renewing('purging'),
  'purging for a long log': renewing('purging', LONG_LOG),
  'purging for a long log, 3.x': renewing('purging', { ...LONG_LOG, traits: V3_10 }),
  'purging to rejoin': renewing('purging', { rejoins: true }),
  'seeding before the ack': renewing('seeding'),
  'looking before the ack': renewing('looking'),
  'looking before the ack, abandoned': renewing('looking', { abandoned: true }),
  'looking after the ack': renewing('looking', OWED),
  'looking after the ack, its channel gone': renewing('looking', { ...OWED, line: undefined }),
  'seeding after the ack': renewing('seeding', OWED),
  'seeding after the ack, its channel gone': renewing('seeding', { ...OWED, line: undefined }),
  'seeding after the ack, abandoned': renewing('seeding', { ...OWED, abandoned: true }),
  'awaiting the new token': renewing('arriving', OWED),
  'awaiting the new token, abandoned': renewing('arriving', { ...OWED, abandoned: true }),
  'awaiting the new token to rejoin': renewing('arriving', { ...OWED, rejoins: true }),
  resting: opening('resting'),
  waiting: waiting(),
  'looking behind a stray': lookingBehindStray(),
  'grace for a stray': waiting({ stray, graceUntil: NOW.mono + 2_000 }),
  'stray, abandoned': lookingBehindStray({ abandoned: true }),
  'stray acked, abandoned': waiting({ abandoned: true, until: NOW.mono + 2_000 }),
  granting: granting(),
  delaying: delaying(),
  'delaying, abandoned': delaying({ abandoned: true }),
  parting: parting(),
  held: held(),
  verifying: verifying(),
  'verifying again': verifying({ again: true }),
  cancelled: verifying({ cancelledUntil: NOW.mono + 250 }),
  'closing the channel': closing(),
  released: { at: 'released', turn: LINE },
  lost: { at: 'lost', turn: LINE, reason: 'superseded' },
} as const satisfies Record<string, ContenderState>;

export type Type = ContenderEvent['type'];

const GOES = {
  'give-up': 'closing: refuse know close',
  shutdown: 'closing: refuse know close',
};
const OFF_AT_ONCE = { 'give-up': 'released: refuse know end', shutdown: 'released: refuse know end' };
const RESTS = 'opening/resting: know';
const HELD = {
  cancelled: 'verifying+cancelled: know look',
  closed: 'lost/channel-closed: lose',
  release: 'closing: close',
  shutdown: 'lost/coordinator-closed: lose close',
};
const RENEWING = {
  'call-failed': 'opening/resting: close know',
  delivered: 'opening/consuming: saw close consume',
  cancelled: 'opening/resting: close know',
  closed: RESTS,
  shutdown: 'closing: refuse know close',
};
const RELEASING = {
  'call-failed': 'closing: know close',
  delivered: 'closing: saw know close',
  cancelled: 'closing: know close',
  closed: 'released: know end',
  shutdown: 'closing: know close',
};
const OWING = {
  delivered: 'held: saw know grant',
  cancelled: 'opening/resting: close know',
};
const STRAY = {
  delivered: 'held: saw know grant',
  cancelled: 'opening/resting: know close',
  closed: RESTS,
  'give-up': 'waiting+stray+abandoned: refuse',
  shutdown: 'closing: refuse know close',
};

/** What comes of each event in each state: `where: effects`. What is not listed leaves the state as it is, with no effect. */
export const OUTCOMES: Record<keyof typeof STATES, Partial<Record<Type, string>>> = {
  idle: { start: 'opening/consuming: consume' },
  looking: { looked: 'opening/consuming: consume', 'call-failed': RESTS, ...OFF_AT_ONCE },
  'looking only whether there is a queue': {
    looked: 'opening/declaring: declare',
    'call-failed': RESTS,
    ...OFF_AT_ONCE,
  },
  declaring: { declared: 'opening/seeding: seed', 'call-failed': RESTS, ...OFF_AT_ONCE },
  seeding: { seeded: 'opening/consuming: consume', 'call-failed': RESTS, ...OFF_AT_ONCE },
  consuming: {
    consuming: 'waiting: know',
    closed: RESTS,
    ...GOES,
  },
  'trying to publish': { ...RELEASING, probed: 'renewing/purging+abandoned: purge' },
  purging: {
    ...RENEWING,
    purged: 'renewing/seeding: seed',
    'give-up': 'renewing/purging+abandoned: refuse',
  },
  'purging for a long log': { ...RELEASING, purged: 'renewing/seeding+abandoned: seed' },
  'purging for a long log, 3.x': { ...RELEASING, purged: 'renewing/looking+owed+abandoned: ack look' },
  'purging to rejoin': {
    ...RENEWING,
    purged: 'renewing/seeding: seed',
    'give-up': 'renewing/purging+abandoned: refuse',
  },
  'seeding before the ack': {
    ...RENEWING,
    seeded: 'renewing/looking: look',
    'give-up': 'renewing/seeding+abandoned: refuse',
  },
  'looking before the ack': {
    ...RENEWING,
    looked: 'renewing/purging: purge',
    'give-up': 'renewing/looking+abandoned: refuse',
  },
  'looking before the ack, abandoned': { ...RELEASING, looked: 'renewing/purging+abandoned: purge' },
  'looking after the ack': {
    ...OWING,
    looked: 'renewing/seeding+owed: seed',
    'call-failed': 'renewing/seeding+owed: seed',
    closed: 'renewing/looking+owed: ',
    'give-up': 'renewing/looking+owed+abandoned: refuse',
    shutdown: 'renewing/looking+owed+abandoned: refuse',
  },
  'looking after the ack, its channel gone': {
    looked: 'renewing/seeding+owed: seed',
    'call-failed': 'renewing/seeding+owed: seed',
    'give-up': 'renewing/looking+owed+abandoned: refuse',
    shutdown: 'renewing/looking+owed+abandoned: refuse',
  },
  'seeding after the ack': {
    ...OWING,
    seeded: 'renewing/arriving+owed: ',
    'call-failed': 'renewing/seeding+owed: ',
    closed: 'renewing/seeding+owed: ',
    'give-up': 'renewing/seeding+owed+abandoned: refuse',
    shutdown: 'renewing/seeding+owed+abandoned: refuse',
  },
  'seeding after the ack, its channel gone': {
    seeded: 'opening/consuming: consume',
    'call-failed': 'renewing/seeding+owed: ',
    'give-up': 'renewing/seeding+owed+abandoned: refuse',
    shutdown: 'renewing/seeding+owed+abandoned: refuse',
  },
  'seeding after the ack, abandoned': {
    seeded: 'renewing/arriving+owed+abandoned: ',
    'call-failed': 'renewing/seeding+owed+abandoned: ',
    delivered: 'closing: saw know close',
    cancelled: 'closing: know close',
    closed: 'renewing/seeding+owed+abandoned: ',
    shutdown: 'renewing/seeding+owed+abandoned: ',
  },
  'awaiting the new token': {
    ...OWING,
    closed: RESTS,
    'give-up': 'renewing/arriving+owed+abandoned: refuse',
    shutdown: 'closing: refuse know close',
  },
  'awaiting the new token, abandoned': {
    delivered: 'closing: saw know close',
    cancelled: 'closing: know close',
    closed: 'released: know end',
    shutdown: 'closing: know close',
  },
  'awaiting the new token to rejoin': {
    ...OWING,
    delivered: 'opening/consuming: saw close consume',
    closed: RESTS,
    'give-up': 'renewing/arriving+owed+abandoned: refuse',
    shutdown: 'closing: refuse know close',
  },
  resting: { 'call-failed': RESTS, ...OFF_AT_ONCE },
  waiting: {
    delivered: 'held: saw know grant',
    cancelled: 'opening/resting: know close',
    closed: RESTS,
    ...GOES,
  },
  'looking behind a stray': { ...STRAY, looked: 'waiting+stray: ', 'call-failed': 'waiting+stray: ' },
  'grace for a stray': STRAY,
  'stray, abandoned': {
    looked: 'waiting+stray+abandoned: ',
    'call-failed': 'waiting+stray+abandoned: ',
    delivered: 'closing: saw know close',
    cancelled: 'closing: know close',
    closed: 'released: end',
    shutdown: 'closing: know close',
  },
  'stray acked, abandoned': {
    delivered: 'closing: saw know close',
    cancelled: 'closing: know close',
    closed: 'released: end',
    shutdown: 'closing: know close',
  },
  granting: {
    delivered: 'held: saw grant prove',
    cancelled: 'opening/resting: know close',
    closed: 'opening/consuming: consume',
    ...GOES,
  },
  delaying: {
    delivered: 'opening/consuming: close consume',
    cancelled: 'opening/resting: know close',
    closed: 'opening/consuming: consume',
    'give-up': 'delaying+abandoned: refuse',
    shutdown: 'closing: refuse know close',
  },
  'delaying, abandoned': {
    delivered: 'closing: know close',
    cancelled: 'closing: know close',
    closed: 'released: end',
    shutdown: 'closing: know close',
  },
  parting: {
    delivered: 'closing: saw requeue close',
    cancelled: 'closing: close',
    closed: 'released: end',
    shutdown: 'closing: close',
  },
  held: { ...HELD, delivered: 'lost/superseded: saw lose close', verify: 'verifying: reject' },
  verifying: { ...HELD, delivered: 'held: saw prove', verify: 'verifying+again: ' },
  'verifying again': {
    ...HELD,
    delivered: 'verifying: saw prove reject',
    verify: 'verifying+again: ',
  },
  cancelled: {
    ...HELD,
    delivered: 'lost/superseded: saw lose close',
    looked: 'lost/consumer-cancelled: lose close',
    'call-failed': 'lost/consumer-cancelled: lose close',
    verify: 'verifying+cancelled+again: ',
  },
  'closing the channel': { closed: 'released: end' },
  released: {},
  lost: {},
};
