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
  verifying,
  waiting,
} from './fixtures.ts';

const stray = { deliveryTag: 2, call: undefined, lookAt: NOW.mono + 500 };

export const STATES = {
  idle: { at: 'idle', turn: 0 },
  looking: opening('looking'),
  'looking only whether there is a queue': opening('looking', { unchecked: true }),
  declaring: opening('declaring'),
  seeding: opening('seeding'),
  consuming: opening('consuming'),
  purging: renewing('purging'),
  'looking after a purge': renewing('looking'),
  'seeding after a purge': renewing('seeding'),
  'seeding after a purge, its channel gone': renewing('seeding', { line: undefined }),
  'purging to rejoin': renewing('purging', { rejoins: true }),
  'seeding to rejoin': renewing('seeding', { rejoins: true }),
  'purging, abandoned': renewing('purging', { abandoned: true }),
  'seeding, abandoned': renewing('seeding', { abandoned: true }),
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
  cancelled: 'opening/resting: close know',
  shutdown: 'closing: refuse know close',
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
  purging: {
    ...RENEWING,
    purged: 'renewing/looking: ack look',
    'call-failed': 'opening/resting: close know',
    delivered: 'opening/consuming: close consume',
    closed: RESTS,
    'give-up': 'renewing/purging+abandoned: refuse',
  },
  'looking after a purge': {
    ...RENEWING,
    looked: 'renewing/seeding: seed',
    'call-failed': 'renewing/seeding: seed',
    delivered: 'held: saw know grant',
    closed: 'renewing/looking: ',
    'give-up': 'renewing/looking+abandoned: refuse',
  },
  'seeding after a purge': {
    ...RENEWING,
    seeded: 'waiting: ',
    'call-failed': 'opening/resting: close know',
    delivered: 'held: saw know grant',
    closed: 'renewing/seeding: ',
    'give-up': 'renewing/seeding+abandoned: refuse',
  },
  'seeding after a purge, its channel gone': {
    seeded: 'opening/consuming: consume',
    'call-failed': 'opening/resting: know',
    'give-up': 'renewing/seeding+abandoned: refuse',
    shutdown: 'released: refuse know end',
  },
  'purging to rejoin': {
    ...RENEWING,
    purged: 'renewing/looking: ack look',
    'call-failed': 'opening/resting: close know',
    delivered: 'opening/consuming: close consume',
    closed: RESTS,
    'give-up': 'renewing/purging+abandoned: refuse',
  },
  'seeding to rejoin': {
    ...RENEWING,
    seeded: 'opening/consuming: close consume',
    'call-failed': 'opening/resting: close know',
    delivered: 'opening/consuming: saw close consume',
    closed: 'renewing/seeding: ',
    'give-up': 'renewing/seeding+abandoned: refuse',
  },
  'purging, abandoned': {
    purged: 'renewing/looking+abandoned: ack look',
    'call-failed': 'closing: know close',
    delivered: 'closing: know close',
    cancelled: 'closing: know close',
    closed: 'released: know end',
    shutdown: 'closing: know close',
  },
  'seeding, abandoned': {
    seeded: 'closing: know close',
    'call-failed': 'closing: know close',
    delivered: 'closing: saw know close',
    cancelled: 'closing: know close',
    closed: 'renewing/seeding+abandoned: ',
    shutdown: 'closing: know close',
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
