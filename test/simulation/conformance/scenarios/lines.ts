import { given, inTurn, type Scenario } from '../script.ts';
import { cancel, close, consume, declare, drop, leave, nack, publish, times } from '../steps.ts';

/** Who is next. */
export const lines: readonly Scenario[] = [
  {
    title: 'waiters are served first in, first out, when holders close their channels',
    script: [
      declare(),
      publish('token'),
      ...['A1', 'B1', 'C1', 'D1'].map((channel) => consume(channel)),
      ...['A1', 'B1', 'C1'].map(close),
    ],
    outcome: (version) => ({
      told: inTurn(version, 'A1', 'B1', 'C1', 'D1'),
      queue: '0/1',
    }),
  },
  {
    title: 'waiters are served first in, first out, when the connections of holders die or close',
    script: [
      declare(),
      publish('token'),
      ...['A1', 'B1', 'C1', 'D1'].map((channel) => consume(channel)),
      drop('A'),
      leave('B'),
      drop('C'),
    ],
    outcome: (version) => ({
      told: inTurn(version, 'A1', 'B1', 'C1', 'D1'),
      queue: '0/1',
    }),
  },
  {
    title: 'a waiter that leaves, in whatever way, is passed over, and neither holder nor others hear of it',
    script: [
      declare(),
      publish('token'),
      ...['A1', 'B1', 'C1', 'D1', 'E1'].map((channel) => consume(channel)),
      close('B1'),
      drop('C'),
      cancel('D1'),
      close('A1'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0', E1: given('token', version) },
      queue: '0/1',
    }),
  },
  {
    title: 'a holder that comes back on a fresh channel stands at the end of the line',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      consume('C1'),
      close('A1'),
      consume('A2'),
      close('B1'),
      close('C1'),
    ],
    outcome: (version) => ({
      told: inTurn(version, 'A1', 'B1', 'C1', 'A2'),
      queue: '0/1',
    }),
  },
  {
    title: 'waiters on channels of one connection are served in the order of their consumes',
    script: [
      declare(),
      publish('token'),
      ...['A1', 'A2', 'B1', 'A3'].map((channel) => consume(channel)),
      ...['A1', 'A2', 'B1'].map(close),
    ],
    outcome: (version) => ({
      told: inTurn(version, 'A1', 'A2', 'B1', 'A3'),
      queue: '0/1',
    }),
  },
  {
    title: 'who stands in line before there is a token is served in the same order',
    script: [declare(), consume('A1'), consume('B1'), publish('token'), close('A1')],
    outcome: (version) => ({
      told: { A1: 'token+0', B1: given('token', version) },
      queue: '0/1',
    }),
  },
  {
    title: 'a nacked token comes straight back to the holder, counted once, and waiters see nothing',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      publish('foreign'),
      ...times(3, nack('A1', 'token')),
    ],
    outcome: { told: { A1: 'token+0 token+1* token+2* token+3*' }, queue: '1/1' },
  },
  {
    title: 'only the active consumer is counted in declare-ok',
    script: [declare(), consume('A1'), consume('B1'), consume('C1')],
    outcome: { told: {}, queue: '0/1' },
  },
  {
    title: 'a waiter of higher priority goes first, but not on 3.10',
    beyondModel: 'lock consumers have no priorities',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      consume('C1', { priority: 5 }),
      close('A1'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0', ...(version === '3.10' ? { B1: 'token+1*' } : { C1: given('token', version) }) },
      queue: '0/1',
    }),
  },
  {
    title: 'a waiter with a higher prefetch goes first, but not on 3.10',
    beyondModel: 'lock consumers have prefetch 1',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      consume('C1', { prefetch: 5 }),
      close('A1'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0', ...(version === '3.10' ? { B1: 'token+1*' } : { C1: given('token', version) }) },
      queue: '0/1',
    }),
  },
];
