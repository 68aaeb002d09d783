import { expect, test } from 'vitest';
import type { Frame } from '../../support/amqp-frames.ts';
import type { Direction, ProxyLink } from '../../support/proxy-link.ts';
import { Conversation } from './conversation.ts';
import { Minting } from './minting.ts';

const TOKEN = Buffer.from('{"v":1,"kind":"token"}');
const PROBE = Buffer.from('{"v":1,"kind":"probe"}');

const shortString = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text)]);
const METHOD: Buffer = Buffer.alloc(4);
const TICKET = Buffer.alloc(2);
/** queue.declare, queue.purge and basic.consume begin alike; `bits` has passive in its lowest. */
const about = (queue: string, bits = 0): Buffer =>
  Buffer.concat([METHOD, TICKET, shortString(queue), Buffer.from([bits])]);
const declareOk = (queue: string, ready: number, consumers: number): Buffer => {
  const counts = Buffer.alloc(8);
  counts.writeUInt32BE(ready, 0);
  counts.writeUInt32BE(consumers, 4);
  return Buffer.concat([METHOD, shortString(queue), counts]);
};
const publish = (queue: string): Buffer =>
  Buffer.concat([METHOD, TICKET, shortString(''), shortString(queue), Buffer.from([0])]);

/** A connection whose frames the test writes. */
function talk(verifies = true) {
  const turns: string[] = [];
  const minting = new Minting();
  const conversation = new Conversation({
    link: {} as ProxyLink,
    lockOf: (queue) => (queue.startsWith('lock.') ? queue.slice(5) : undefined),
    minting,
    verifies,
    onTurn: ({ lock, phase, moment, step }) =>
      turns.push([lock, phase, step, moment].filter(Boolean).join(' ')),
  });
  const frame = (
    direction: Direction,
    type: Frame['type'],
    method: string | undefined,
    payload: Buffer,
    channel: number,
  ) =>
    conversation.read(direction, { type, channel, size: payload.length, ...(method && { method }) }, payload);
  return {
    turns,
    minting,
    phases: () => conversation.contenders.map(({ lock, phase }) => `${lock} ${phase}`),
    client: (method: string, payload = METHOD, channel = 1) =>
      frame('to-server', 'method', method, payload, channel),
    broker: (method: string, payload = METHOD, channel = 1) =>
      frame('to-client', 'method', method, payload, channel),
    body: (direction: Direction, payload: Buffer, channel = 1) =>
      frame(direction, 'body', undefined, payload, channel),
  };
}

test('a contender waits, receives, verifies, holds, verifies again, releases and is gone', () => {
  const { client, broker, body, phases, turns } = talk();
  client('basic.consume', about('lock.a'));
  expect(phases()).toEqual(['a waiting']);
  broker('basic.deliver');
  body('to-client', TOKEN);
  expect(phases()).toEqual(['a receiving']);
  client('basic.nack');
  expect(phases()).toEqual(['a verifying']);
  broker('basic.deliver');
  body('to-client', TOKEN);
  expect(phases()).toEqual(['a holding']);
  client('basic.nack');
  broker('basic.deliver');
  body('to-client', TOKEN);
  client('channel.close');
  expect(phases()).toEqual(['a releasing']);
  broker('channel.close-ok');
  expect(phases()).toEqual([]);
  expect(turns).toEqual([
    'a receiving begins',
    'a verifying begins',
    'a verifying ends',
    'a verifying begins',
    'a verifying ends',
    'a releasing begins',
    'a releasing ends',
  ]);
});

test('a probe makes no holder, a waiter that closes releases nothing, and other queues do not count', () => {
  const { client, broker, body, phases, turns } = talk();
  client('basic.consume', about('lock.a'));
  broker('basic.deliver');
  body('to-client', PROBE);
  expect(phases()).toEqual(['a waiting']);
  client('channel.close');
  expect(phases()).toEqual([]);
  client('basic.consume', about('other'), 2);
  client('queue.declare', about('other'), 3);
  expect(phases()).toEqual([]);
  expect(turns).toEqual([]);
});

test('making a lock goes from its declaration to the confirmed seed', () => {
  const { client, broker, body, minting, turns } = talk();
  client('queue.declare', about('lock.a', 1));
  expect(minting.locks).toEqual([]); // a look
  broker('queue.declare-ok', declareOk('lock.a', 0, 0));
  client('queue.declare', about('lock.a'));
  expect(minting.locks).toEqual(['a']);
  broker('queue.declare-ok', declareOk('lock.a', 0, 0));
  expect(minting.locks).toEqual(['a']);
  client('confirm.select', METHOD, 2);
  client('basic.publish', publish('lock.a'), 2);
  body('to-server', TOKEN, 2);
  broker('basic.ack', METHOD, 2);
  expect(minting.locks).toEqual([]);
  expect(turns).toEqual([
    'a minting declare begins',
    'a minting declare ends',
    'a minting seed begins',
    'a minting seed ends',
  ]);
});

test('a declaration that finds somebody there makes nothing', () => {
  const { client, broker, minting } = talk();
  client('queue.declare', about('lock.a'));
  broker('queue.declare-ok', declareOk('lock.a', 0, 1));
  expect(minting.locks).toEqual([]);
});

test('a build that publishes and acks to release holds without a question, and releases with its publish', async () => {
  const { client, broker, body, phases } = talk(false);
  client('basic.consume', about('lock.a'));
  broker('basic.deliver');
  body('to-client', TOKEN);
  await expect.poll(phases).toEqual(['a holding']);
  client('basic.publish', publish('lock.a'));
  body('to-server', TOKEN);
  expect(phases()).toEqual(['a releasing']);
});
