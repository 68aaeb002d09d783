import { countOfAnEnd, given, type Outcome, type Scenario } from '../script.ts';
import {
  alarm,
  close,
  consume,
  declare,
  drop,
  get,
  kill,
  limit,
  look,
  nack,
  publish,
  purge,
  recreate,
  remove,
  restart,
  wait,
} from '../steps.ts';

/** Queues that come and go, nodes that restart, memory that is short. */
export const administration: readonly Scenario[] = [
  {
    title: 'a publish to an absent queue is returned, and confirmed all the same',
    script: [publish('token'), declare()],
    outcome: { told: { P1: 'returned token' }, queue: '0/0' },
  },
  {
    title: 'to consume from an absent queue, or to look at it, closes the channel with 404',
    script: [consume('A1'), look('A2'), declare(), consume('A1')],
    outcome: { told: { A1: 'closed 404', A2: 'closed 404' }, queue: '0/1' },
  },
  {
    title: 'to delete what is not there is fine, to purge it closes the channel with 404',
    script: [remove, purge],
    outcome: { told: { S1: 'closed 404' }, queue: 'absent' },
  },
  {
    title: 'to declare again changes nothing',
    script: [declare(), publish('token'), consume('A1'), declare(), declare()],
    outcome: { told: { A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'basic.get is refused on a lock queue',
    beyondModel: 'no client gets',
    script: [declare(), publish('token'), get('A1')],
    outcome: { told: { A1: 'closed 405' }, queue: '1/0' },
  },
  {
    title: 'a deletion while the token is held cancels the holder and everybody in line',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), consume('C1'), remove],
    outcome: { told: { A1: 'token+0 cancelled', B1: 'cancelled', C1: 'cancelled' }, queue: 'absent' },
  },
  {
    title: 'what was held of a deleted queue can be acked, nacked or left: nothing follows',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      remove,
      nack('A1', 'token'),
      close('A1'),
      declare(),
      publish('second'),
      consume('B1'),
    ],
    outcome: { told: { A1: 'token+0 cancelled', B1: 'second+0' }, queue: '0/1' },
  },
  {
    title: 'a queue recreated 100 ms after its deletion: everybody was told, nobody is attached to it',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      recreate(100),
      publish('second'),
      consume('C1'),
    ],
    outcome: { told: { A1: 'token+0 cancelled', B1: 'cancelled', C1: 'second+0' }, queue: '0/1' },
  },
  {
    title:
      'a queue recreated at once: 3.10 attaches the old line to it without a word, and what it is handed is lost',
    race: true,
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      recreate(0),
      wait(100),
      publish('second'),
      consume('C1'),
    ],
    outcome: (version): Outcome =>
      version === '3.10'
        ? { told: { A1: 'token+0' }, queue: '0/1' }
        : { told: { A1: 'token+0 cancelled', B1: 'cancelled', C1: 'second+0' }, queue: '0/1' },
  },
  {
    title: 'a queue recreated at once is told to consumers on channels with a limit of their own',
    race: true,
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      limit('A1'),
      consume('B1'),
      limit('B1'),
      recreate(0),
      wait(100),
      publish('second'),
      consume('C1'),
    ],
    outcome: { told: { A1: 'token+0 cancelled', B1: 'cancelled', C1: 'second+0' }, queue: '0/1' },
  },
  {
    title: 'a queue recreated at once: on 3.10 the token is free when the old line has left',
    race: true,
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      recreate(0),
      wait(100),
      publish('second'),
      consume('C1'),
      close('A1'),
    ],
    outcome: (version): Outcome =>
      version === '3.10'
        ? { told: { A1: 'token+0', C1: 'second+1*' }, queue: '0/1' }
        : { told: { A1: 'token+0 cancelled', C1: 'second+0' }, queue: '0/1' },
  },
  {
    title: 'a queue recreated at once and then deleted: on 3.10 the old line is told nothing of that either',
    race: true,
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      recreate(0),
      recreate(0),
      remove,
      declare(),
      publish('second'),
    ],
    outcome: (version): Outcome =>
      version === '3.10'
        ? { told: { A1: 'token+0' }, queue: '1/0' }
        : { told: { A1: 'token+0 cancelled', B1: 'cancelled' }, queue: '1/0' },
  },
  {
    title: 'a memory alarm stalls a publisher, and nothing else: consume, nack, close, look, declare, drop',
    control: true,
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      alarm(true),
      publish('foreign'),
      nack('A1', 'token'),
      consume('C1'),
      close('A1'),
      look('C1'),
      declare(),
      drop('B'),
    ],
    outcome: (version) => ({
      told: {
        A1: 'token+0 token+1*',
        B1: `token+${1 + countOfAnEnd(version)}*`,
        C1: `token+${1 + 2 * countOfAnEnd(version)}*`,
      },
      queue: '0/1',
    }),
  },
  {
    title: 'what was published during a memory alarm arrives after it',
    control: true,
    script: [declare(), consume('A1'), alarm(true), publish('token'), alarm(false)],
    outcome: { told: { A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'after an orderly restart the token is at the head, counted like the end of a channel',
    control: true,
    script: [declare(), publish('token'), consume('A1'), publish('foreign'), restart, consume('B1')],
    outcome: (version) => ({
      told: { S1: 'lost', P1: 'lost', A1: 'token+0 lost', B1: given('token', version) },
      queue: '1/1',
    }),
  },
  {
    title: 'after SIGKILL of the node the token is at the head, counted',
    control: true,
    script: [declare(), publish('token'), consume('A1'), publish('foreign'), kill, consume('B1')],
    outcome: (version) => ({
      told: { S1: 'lost', P1: 'lost', A1: 'token+0 lost', B1: given('token', version) },
      queue: '1/1',
    }),
  },
];
