import { given, type Scenario, type Step } from '../script.ts';
import { ack, close, consume, declare, drop, nack, ofRegister, publish, purge, remove } from '../steps.ts';

const PREFETCH = { prefetch: 16 };
const entries = (...messages: string[]): Step[] => messages.map((message) => ofRegister(publish(message)));

/** A holder with both queues on one channel, and three entries. */
const held = [
  declare(),
  ofRegister(declare()),
  publish('token'),
  ...entries('a', 'b', 'c'),
  consume('A1'),
  ofRegister(consume('A1', PREFETCH)),
];
const HANDED = 'token+0 a+0 b+0 c+0';

/** The register: a second queue with a consumer on the lease's own channel. */
export const register: readonly Scenario[] = [
  {
    title: 'two consumers on one channel have each their own prefetch',
    script: [...held.slice(0, -1), ofRegister(consume('A1', { prefetch: 2 })), publish('foreign')],
    outcome: { told: { A1: 'token+0 a+0 b+0' }, queue: '1/1', register: '1/1' },
  },
  {
    title: 'a nack of the token leaves the register as it was, and the other way round',
    script: [...held, nack('A1', 'token'), nack('A1', 'a'), nack('A1', 'token')],
    outcome: { told: { A1: `${HANDED} token+1* a+1* token+2*` }, queue: '0/1', register: '0/1' },
  },
  {
    title: 'an entry that is given back comes behind all that lay in the register and fits in the prefetch',
    script: [
      ...held.slice(0, -1),
      ofRegister(consume('A1', { prefetch: 2 })),
      nack('A1', 'a'),
      ack('A1', 'b'),
    ],
    outcome: { told: { A1: 'token+0 a+0 b+0 a+1* c+0' }, queue: '0/1', register: '0/1' },
  },
  {
    title: 'what is written is confirmed, and handed to anybody who has the register',
    script: [...held, ...entries('d'), ack('A1', 'a'), ack('A1', 'b'), ack('A1', 'c')],
    outcome: { told: { A1: `${HANDED} d+0` }, queue: '0/1', register: '0/1' },
  },
  ...[close('A1'), drop('A')].map(
    (end): Scenario => ({
      title: `after ${end.do} both queues are given back, each in its order, and counted`,
      script: [...held, consume('B1'), ofRegister(consume('C1', PREFETCH)), nack('A1', 'a'), end],
      outcome: (version) => ({
        told: {
          A1: `${HANDED} a+1*`,
          B1: given('token', version),
          C1: `${given('b', version)} ${given('c', version)} ${version === '4.3' ? 'a+3*' : 'a+2*'}`,
        },
        queue: '0/1',
        register: '0/1',
      }),
    }),
  ),
  {
    title:
      'a register that is deleted cancels its own consumer; the token goes on, and what is written is returned',
    script: [...held, ofRegister(remove), nack('A1', 'token'), ...entries('d')],
    outcome: {
      told: { A1: `${HANDED} cancelled register token+1*`, P1: 'returned d' },
      queue: '0/1',
      register: 'absent',
    },
  },
  {
    title: 'a lock that is deleted leaves its register alone',
    script: [...held, remove, nack('A1', 'a')],
    outcome: { told: { A1: `${HANDED} cancelled a+1*` }, queue: 'absent', register: '0/1' },
  },
  {
    title: 'to consume from a register that is not there ends the channel, and the token goes back',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), ofRegister(consume('A1', PREFETCH))],
    outcome: (version) => ({
      told: { A1: 'token+0 closed 404', B1: given('token', version) },
      queue: '0/1',
      register: 'absent',
    }),
  },
  {
    title: 'a purge of the register takes what nobody holds',
    script: [
      ...held.slice(0, -1),
      ofRegister(consume('A1', { prefetch: 1 })),
      ofRegister(purge),
      nack('A1', 'a'),
    ],
    outcome: { told: { A1: 'token+0 a+0 a+1*' }, queue: '0/1', register: '0/1' },
  },
];
