import { countOfAnEnd, given, type Scenario } from '../script.ts';
import {
  ack,
  cancel,
  close,
  consume,
  declare,
  drop,
  leave,
  look,
  nack,
  publish,
  reject,
  times,
} from '../steps.ts';

const heldWithForeignBehind = [
  declare(),
  publish('token'),
  consume('A1'),
  consume('B1'),
  publish('seed'),
  publish('foreign'),
];

/** What comes back, to whom, and how it is counted. */
export const returns: readonly Scenario[] = [
  ...[close('A1'), drop('A'), leave('A')].map(
    (end): Scenario => ({
      title: `after ${end.do} the token is delivered to the next, ahead of everything that is ready`,
      script: [...heldWithForeignBehind, end],
      outcome: (version) => ({
        told: { A1: 'token+0', B1: given('token', version) },
        queue: '2/1',
      }),
    }),
  ),
  {
    title: 'a second seed is inert through nack, close, drop, leave and an idle queue',
    script: [
      ...heldWithForeignBehind,
      nack('A1', 'token'),
      close('A1'),
      nack('B1', 'token'),
      drop('B'),
      consume('C1'),
      leave('C'),
      consume('D1'),
    ],
    outcome: (version) => ({
      told:
        version === '4.3'
          ? { A1: 'token+0 token+1*', B1: 'token+3* token+4*', C1: 'token+6*', D1: 'token+8*' }
          : { A1: 'token+0 token+1*', B1: 'token+2* token+3*', C1: 'token+4*', D1: 'token+5*' },
      queue: '2/1',
    }),
  },
  {
    title: 'a reject with requeue is counted like a nack, but on 4.3 like the end of a channel',
    script: [...heldWithForeignBehind, reject('A1', 'token'), reject('A1', 'token')],
    outcome: (version) => ({
      told: { A1: version === '4.3' ? 'token+0 token+2* token+4*' : 'token+0 token+1* token+2*' },
      queue: '2/1',
    }),
  },
  {
    title: 'a cancelled holder keeps the token unacked, and the next is handed what lies behind it',
    script: [...heldWithForeignBehind, cancel('A1')],
    outcome: { told: { A1: 'token+0', B1: 'seed+0' }, queue: '1/2' },
  },
  {
    title: 'a cancelled holder without anything behind: the next is active, and is told nothing',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), cancel('A1')],
    outcome: { told: { A1: 'token+0' }, queue: '0/2' },
  },
  {
    title: 'what a cancelled consumer held is handed on when its channel closes',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), cancel('A1'), close('A1')],
    outcome: (version) => ({
      told: { A1: 'token+0', B1: given('token', version) },
      queue: '0/1',
    }),
  },
  {
    title: 'what a cancelled consumer held is handed on when it nacks it',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), cancel('A1'), nack('A1', 'token')],
    outcome: { told: { A1: 'token+0', B1: 'token+1*' }, queue: '0/1' },
  },
  {
    title: 'a token that comes back late waits at the head behind a foreign message that is held already',
    script: [...heldWithForeignBehind, cancel('A1'), close('A1'), consume('C1'), ack('B1', 'seed')],
    outcome: (version) => ({
      told: { A1: 'token+0', B1: `seed+0 ${given('token', version)}` },
      queue: '1/1',
    }),
  },
  {
    title:
      'of two messages that came back, the first to come back is the first to be handed out, also when it was behind',
    script: [...heldWithForeignBehind, cancel('A1'), close('B1'), close('A1'), consume('C1')],
    outcome: (version) => ({
      told: { A1: 'token+0', B1: 'seed+0', C1: given('seed', version) },
      queue: '2/1',
    }),
  },
  {
    title: 'of two messages that came back, the token is handed out first when it came back first',
    script: [
      ...heldWithForeignBehind,
      consume('C1'),
      cancel('A1'),
      cancel('B1'),
      close('A1'),
      close('B1'),
      ack('C1', 'foreign'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0', B1: 'seed+0', C1: `foreign+0 ${given('token', version)}` },
      queue: '1/1',
    }),
  },
  {
    title: 'who acks the token is handed what lies behind it',
    script: [...heldWithForeignBehind, ack('A1', 'token')],
    outcome: { told: { A1: 'token+0 seed+0' }, queue: '1/1' },
  },
  {
    title: 'who acks the last message stays active, and is handed the next',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      ack('A1', 'token'),
      publish('second'),
    ],
    outcome: { told: { A1: 'token+0 second+0' }, queue: '0/1' },
  },
  {
    title:
      'with prefetch 1 a holder is handed nothing more, and foreign messages one by one as they are acked',
    script: [
      declare(),
      publish('one'),
      publish('two'),
      consume('A1'),
      publish('three'),
      ack('A1', 'one'),
      ack('A1', 'two'),
    ],
    outcome: { told: { A1: 'one+0 two+0 three+0' }, queue: '0/1' },
  },
  {
    title:
      'with prefetch 2 a holder is handed the foreign message behind the token, and both come back in order',
    beyondModel: 'lock consumers have prefetch 1',
    script: [
      declare(),
      publish('token'),
      publish('foreign'),
      consume('A1', { prefetch: 2 }),
      consume('B1'),
      close('A1'),
      ack('B1', 'token'),
    ],
    outcome: (version) => ({
      told: {
        A1: 'token+0 foreign+0',
        B1: `${given('token', version)} ${given('foreign', version)}`,
      },
      queue: '0/1',
    }),
  },
  {
    title: 'a channel that consumes again after a cancel is in line again, and is handed a token',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      cancel('A1'),
      consume('A1'),
      nack('A1', 'token'),
      close('B1'),
    ],
    outcome: (version) => ({
      told: { A1: `token+0 token+${1 + countOfAnEnd(version)}*`, B1: 'token+1*' },
      queue: '0/1',
    }),
  },
  {
    title: 'a look on a consuming channel is answered behind the delivery, with the held token not ready',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), look('A1'), look('B1')],
    outcome: { told: { A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'an ack of a token that is no longer held closes the channel',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      ack('A1', 'token'),
      ack('A1', 'token'),
    ],
    outcome: { told: { A1: 'token+0 closed 406' }, queue: '0/1' },
  },
  {
    title: 'a limit of a thousand millions is not reached in 30 returns',
    script: [declare(), publish('token'), ...times(30, consume('A1'), close('A1')), consume('B1')],
    outcome: (version) => ({
      told: {
        A1: Array.from({ length: 30 }, (_, ends) => given('token', version, ends)).join(' '),
        B1: given('token', version, 30),
      },
      queue: '0/1',
    }),
  },
];
