import { expect, it } from 'vitest';
import { sharedBroker } from '../support/broker/index.ts';
import { cases } from './cases/index.ts';
import { fits } from './contract.ts';
import { memory } from './harness/memory.ts';
import { proxied, rabbitmq } from './harness/rabbitmq.ts';
import { alone, beside, part } from './parts.ts';

const harnesses = [memory, rabbitmq, proxied];
/** A broker given by BATON_URL is never touched, so cases about administering one cannot run there. */
const ours = sharedBroker().control !== undefined;

it('every case of the contract runs against at least one harness', () => {
  const nowhere = cases.filter((each) => !harnesses.some((harness) => fits(harness, each)));
  // A run has one RabbitMQ, and the in-memory broker starts no processes and shows no frames.
  const lacks = [
    ...(ours ? [] : ['administration']),
    ...(rabbitmq.can.has('counts-apart') ? [] : ['counts-apart']),
  ];
  const expected = nowhere.filter(({ needs }) => needs.some((need) => lacks.includes(need)));
  expect(nowhere.map(({ title }) => title)).toEqual(expected.map(({ title }) => title));
});

it('every case has a title of its own', () => {
  const titles = cases.map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
});

it('the parts are the whole', () => {
  const parts = [...alone, ...[1, 2, 3].flatMap((number) => part(beside, number, 3))];
  expect(parts.map(({ title }) => title).sort()).toEqual(cases.map(({ title }) => title).sort());
});
