import type { ContenderEvent, ContenderState } from '../../../../src/protocol/contender/types.ts';
import {
  closing,
  delaying,
  granting,
  held,
  inspectingForeign,
  LINE,
  NOW,
  opening,
  releasing,
  replacing,
  V3_10,
  V4_0,
  verifying,
  waiting,
} from './fixtures.ts';

const foreign = { deliveryTag: 2, call: undefined, lookAt: NOW.mono + 500 };

const OWED = { owedUntil: NOW.mono + 60_000 };
const LONG_LOG = { releases: true, abandoned: true, traits: V4_0 };

export const STATES = {
  idle: { at: 'idle', epoch: 0 },
  looking: opening('looking'),
  'looking only whether there is a queue': opening('looking', { unchecked: true }),
  declaring: opening('declaring'),
  seeding: opening('seeding'),
  consuming: opening('consuming'),
  'trying to publish': replacing('trying', { ...LONG_LOG, traits: V3_10 }),
  purging: replacing('purging'),
  'purging for a long log': replacing('purging', LONG_LOG),
  'purging for a long log, 3.x': replacing('purging', { ...LONG_LOG, traits: V3_10 }),
  'purging to rejoin': replacing('purging', { rejoins: true }),
  'seeding before the ack': replacing('seeding'),
  'looking before the ack': replacing('looking'),
  'looking before the ack, abandoned': replacing('looking', { abandoned: true }),
  'looking after the ack': replacing('looking', OWED),
  'looking after the ack, its channel gone': replacing('looking', { ...OWED, channelId: undefined }),
  'seeding after the ack': replacing('seeding', OWED),
  'seeding after the ack, its channel gone': replacing('seeding', { ...OWED, channelId: undefined }),
  'seeding after the ack, abandoned': replacing('seeding', { ...OWED, abandoned: true }),
  'awaiting the new token': replacing('arriving', OWED),
  'awaiting the new token, abandoned': replacing('arriving', { ...OWED, abandoned: true }),
  'awaiting the new token to rejoin': replacing('arriving', { ...OWED, rejoins: true }),
  resting: opening('resting'),
  waiting: waiting(),
  'looking behind a foreign message': inspectingForeign(),
  'grace for a foreign message': waiting({ foreign, graceUntil: NOW.mono + 2_000 }),
  'foreign message, abandoned': inspectingForeign({ abandoned: true }),
  'foreign message acked, abandoned': waiting({ abandoned: true, until: NOW.mono + 2_000 }),
  granting: granting(),
  delaying: delaying(),
  'delaying, abandoned': delaying({ abandoned: true }),
  releasing: releasing(),
  held: held(),
  verifying: verifying(),
  'verifying again': verifying({ again: true }),
  cancelled: verifying({ cancelledUntil: NOW.mono + 250 }),
  'closing the channel': closing(),
  released: { at: 'released', epoch: LINE },
  lost: { at: 'lost', epoch: LINE, reason: 'superseded' },
} as const satisfies Record<string, ContenderState>;

export type Type = ContenderEvent['type'];

const GOES = {
  'give-up': 'closing: refuse set-queue-known close',
  shutdown: 'closing: refuse set-queue-known close',
};
const OFF_AT_ONCE = {
  'give-up': 'released: refuse set-queue-known end',
  shutdown: 'released: refuse set-queue-known end',
};
const RESTS = 'opening/resting: set-queue-known';
const HELD = {
  cancelled: 'verifying+cancelled: set-queue-known look',
  closed: 'lost/channel-closed: lost',
  release: 'closing: close',
  shutdown: 'lost/coordinator-closed: lost close',
};
const RENEWING = {
  'call-failed': 'opening/resting: close set-queue-known',
  delivered: 'opening/consuming: fence-seen close consume',
  cancelled: 'opening/resting: set-queue-known close',
  closed: RESTS,
  shutdown: 'closing: refuse set-queue-known close',
};
const RELEASING = {
  'call-failed': 'closing: set-queue-known close',
  delivered: 'closing: fence-seen set-queue-known close',
  cancelled: 'closing: set-queue-known close',
  closed: 'released: set-queue-known end',
  shutdown: 'closing: set-queue-known close',
};
const OWING = {
  delivered: 'held: fence-seen set-queue-known grant',
  cancelled: 'opening/resting: set-queue-known close',
};
const FOREIGN = {
  delivered: 'held: fence-seen set-queue-known grant',
  cancelled: 'opening/resting: set-queue-known close',
  closed: RESTS,
  'give-up': 'waiting+foreign+abandoned: refuse',
  shutdown: 'closing: refuse set-queue-known close',
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
    consuming: 'waiting: set-queue-known',
    closed: RESTS,
    ...GOES,
  },
  'trying to publish': { ...RELEASING, probed: 'replacing/purging+abandoned: purge' },
  purging: {
    ...RENEWING,
    purged: 'replacing/seeding: seed',
    'give-up': 'replacing/purging+abandoned: refuse',
  },
  'purging for a long log': { ...RELEASING, purged: 'replacing/seeding+abandoned: seed' },
  'purging for a long log, 3.x': { ...RELEASING, purged: 'replacing/looking+owed+abandoned: ack look' },
  'purging to rejoin': {
    ...RENEWING,
    purged: 'replacing/seeding: seed',
    'give-up': 'replacing/purging+abandoned: refuse',
  },
  'seeding before the ack': {
    ...RENEWING,
    seeded: 'replacing/looking: look',
    'give-up': 'replacing/seeding+abandoned: refuse',
  },
  'looking before the ack': {
    ...RENEWING,
    looked: 'replacing/purging: purge',
    'give-up': 'replacing/looking+abandoned: refuse',
  },
  'looking before the ack, abandoned': { ...RELEASING, looked: 'replacing/purging+abandoned: purge' },
  'looking after the ack': {
    ...OWING,
    looked: 'replacing/seeding+owed: seed',
    'call-failed': 'replacing/seeding+owed: seed',
    closed: 'replacing/looking+owed: ',
    'give-up': 'replacing/looking+owed+abandoned: refuse',
    shutdown: 'replacing/looking+owed+abandoned: refuse',
  },
  'looking after the ack, its channel gone': {
    looked: 'replacing/seeding+owed: seed',
    'call-failed': 'replacing/seeding+owed: seed',
    'give-up': 'replacing/looking+owed+abandoned: refuse',
    shutdown: 'replacing/looking+owed+abandoned: refuse',
  },
  'seeding after the ack': {
    ...OWING,
    seeded: 'replacing/arriving+owed: ',
    'call-failed': 'replacing/seeding+owed: ',
    closed: 'replacing/seeding+owed: ',
    'give-up': 'replacing/seeding+owed+abandoned: refuse',
    shutdown: 'replacing/seeding+owed+abandoned: refuse',
  },
  'seeding after the ack, its channel gone': {
    seeded: 'opening/consuming: consume',
    'call-failed': 'replacing/seeding+owed: ',
    'give-up': 'replacing/seeding+owed+abandoned: refuse',
    shutdown: 'replacing/seeding+owed+abandoned: refuse',
  },
  'seeding after the ack, abandoned': {
    seeded: 'replacing/arriving+owed+abandoned: ',
    'call-failed': 'replacing/seeding+owed+abandoned: ',
    delivered: 'closing: fence-seen set-queue-known close',
    cancelled: 'closing: set-queue-known close',
    closed: 'replacing/seeding+owed+abandoned: ',
    shutdown: 'replacing/seeding+owed+abandoned: ',
  },
  'awaiting the new token': {
    ...OWING,
    closed: RESTS,
    'give-up': 'replacing/arriving+owed+abandoned: refuse',
    shutdown: 'closing: refuse set-queue-known close',
  },
  'awaiting the new token, abandoned': {
    delivered: 'closing: fence-seen set-queue-known close',
    cancelled: 'closing: set-queue-known close',
    closed: 'released: set-queue-known end',
    shutdown: 'closing: set-queue-known close',
  },
  'awaiting the new token to rejoin': {
    ...OWING,
    delivered: 'opening/consuming: fence-seen close consume',
    closed: RESTS,
    'give-up': 'replacing/arriving+owed+abandoned: refuse',
    shutdown: 'closing: refuse set-queue-known close',
  },
  resting: { 'call-failed': RESTS, ...OFF_AT_ONCE },
  waiting: {
    delivered: 'held: fence-seen set-queue-known grant',
    cancelled: 'opening/resting: set-queue-known close',
    closed: RESTS,
    ...GOES,
  },
  'looking behind a foreign message': {
    ...FOREIGN,
    looked: 'waiting+foreign: ',
    'call-failed': 'waiting+foreign: ',
  },
  'grace for a foreign message': FOREIGN,
  'foreign message, abandoned': {
    looked: 'waiting+foreign+abandoned: ',
    'call-failed': 'waiting+foreign+abandoned: ',
    delivered: 'closing: fence-seen set-queue-known close',
    cancelled: 'closing: set-queue-known close',
    closed: 'released: set-queue-known end',
    shutdown: 'closing: set-queue-known close',
  },
  'foreign message acked, abandoned': {
    delivered: 'closing: fence-seen set-queue-known close',
    cancelled: 'closing: set-queue-known close',
    closed: 'released: set-queue-known end',
    shutdown: 'closing: set-queue-known close',
  },
  granting: {
    delivered: 'held: fence-seen grant proven',
    cancelled: 'opening/resting: set-queue-known close',
    closed: RESTS,
    ...GOES,
  },
  delaying: {
    delivered: 'opening/consuming: close consume',
    cancelled: 'opening/resting: set-queue-known close',
    closed: RESTS,
    'give-up': 'delaying+abandoned: refuse',
    shutdown: 'closing: refuse set-queue-known close',
  },
  'delaying, abandoned': {
    delivered: 'closing: set-queue-known close',
    cancelled: 'closing: set-queue-known close',
    closed: 'released: set-queue-known end',
    shutdown: 'closing: set-queue-known close',
  },
  releasing: {
    delivered: 'closing: fence-seen requeue close',
    cancelled: 'closing: close',
    closed: 'released: end',
    shutdown: 'closing: close',
  },
  held: { ...HELD, delivered: 'lost/superseded: fence-seen lost close', verify: 'verifying: reject' },
  verifying: { ...HELD, delivered: 'held: fence-seen proven', verify: 'verifying+again: ' },
  'verifying again': {
    ...HELD,
    delivered: 'verifying: fence-seen proven reject',
    verify: 'verifying+again: ',
  },
  cancelled: {
    ...HELD,
    delivered: 'lost/superseded: fence-seen lost close',
    looked: 'lost/consumer-cancelled: lost close',
    'call-failed': 'lost/consumer-cancelled: lost close',
    verify: 'verifying+cancelled+again: ',
  },
  'closing the channel': { closed: 'released: end' },
  released: {},
  lost: {},
};
