import type { Version } from '../../model/index.ts';
import { given, type Scenario } from '../script.ts';
import { ack, close, consume, declare, drop, nack, policy, publish, purge, times, wait } from '../steps.ts';

const TTL_MS = 1_000;
const EXPIRED = wait(1_500);
const LOCK = { 'x-queue-type': 'quorum', 'x-single-active-consumer': true };
const POLICIES = 'the model has no policies, only what they do';

/** How messages end: purges, expiry, limits. */
export const destruction: readonly Scenario[] = [
  {
    title: 'a purge leaves a held token alone and destroys what is ready behind it',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      publish('foreign'),
      purge,
      nack('A1', 'token'),
      close('A1'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0 token+1*', B1: version === '4.3' ? 'token+3*' : 'token+2*' },
      queue: '0/1',
    }),
  },
  {
    title: 'a purge destroys a token that nobody holds, and who comes then is told nothing',
    script: [declare(), publish('token'), consume('A1'), close('A1'), purge, consume('B1')],
    outcome: { told: { A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'a purge destroys a token that came back while the active consumer holds a foreign message',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      publish('foreign'),
      { do: 'cancel', channel: 'A1' },
      close('A1'),
      purge,
      ack('B1', 'foreign'),
    ],
    outcome: { told: { A1: 'token+0', B1: 'foreign+0' }, queue: '0/1' },
  },
  {
    title:
      'a token that takes the place of one which is acked comes to the same consumer, and waiters stay in line',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      publish('foreign'),
      purge,
      ack('A1', 'token'),
      publish('second'),
      close('A1'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0 second+0', B1: version === '4.3' ? 'second+2*' : 'second+1*' },
      queue: '0/1',
    }),
  },
  {
    title: 'a purge and a second token behind one that is held change nothing for its holder',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      consume('B1'),
      close('A1'),
      consume('A2'),
      purge,
      publish('second'),
      nack('B1', 'token'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0', B1: version === '4.3' ? 'token+2* token+3*' : 'token+1* token+2*' },
      queue: '1/1',
    }),
  },
  {
    title: 'a probe behind a held token expires',
    script: [declare(), publish('token'), consume('A1'), consume('B1'), publish('probe', TTL_MS), EXPIRED],
    outcome: { told: { A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'an expired probe stays where it is until it is at the head',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      publish('foreign'),
      publish('probe', TTL_MS),
      EXPIRED,
      nack('A1', 'token'),
    ],
    outcome: { told: { A1: 'token+0 token+1*' }, queue: '2/1' },
  },
  {
    title: 'an expired probe that comes to the head is gone',
    script: [
      declare(),
      publish('token'),
      consume('A1'),
      publish('foreign'),
      publish('probe', TTL_MS),
      EXPIRED,
      ack('A1', 'token'),
      ack('A1', 'foreign'),
    ],
    outcome: { told: { A1: 'token+0 foreign+0' }, queue: '0/1' },
  },
  {
    title: 'an expired probe behind a ready token: 4.3 drops it when the token is one that came back',
    script: [declare(), publish('token'), consume('A1'), close('A1'), publish('probe', TTL_MS), EXPIRED],
    outcome: (version) => ({ told: { A1: 'token+0' }, queue: version === '4.3' ? '1/0' : '2/0' }),
  },
  {
    title: 'a probe without a token goes to the active consumer, and does not expire in its hands',
    script: [
      declare(),
      consume('A1'),
      consume('B1'),
      publish('probe', TTL_MS),
      EXPIRED,
      publish('foreign'),
      ack('A1', 'probe'),
    ],
    outcome: { told: { A1: 'probe+0 foreign+0' }, queue: '0/1' },
  },
  ...[nack('A1', 'probe'), close('A1')].map(
    (end): Scenario => ({
      title: `a probe that comes back by ${end.do} after its time is gone`,
      script: [declare(), consume('A1'), consume('B1'), publish('probe', TTL_MS), EXPIRED, end],
      outcome: { told: { A1: 'probe+0' }, queue: '0/1' },
    }),
  ),
  {
    title: 'without a delivery limit 4.x destroys the token at its 21st return',
    script: [declare(LOCK), publish('token'), ...times(21, consume('A1'), drop('A')), consume('B1')],
    outcome: (version) => ({
      told: {
        A1: handedOut(21, version),
        ...(version === '3.10' && { B1: given('token', version, 21) }),
      },
      queue: '0/1',
    }),
  },
  {
    title: 'nacks count towards the default limit only on 4.0',
    script: [declare(LOCK), publish('token'), consume('A1'), ...times(21, nack('A1', 'token'))],
    outcome: (version) => ({
      told: { A1: handedOut(version === '4.0' ? 21 : 22, '3.10') },
      queue: '0/1',
    }),
  },
  {
    title: 'with a delivery limit of -1 3.10 destroys the token at its first return',
    script: [
      declare({ ...LOCK, 'x-delivery-limit': -1 }),
      publish('token'),
      consume('A1'),
      consume('B1'),
      close('A1'),
    ],
    outcome: (version) => ({
      told: { A1: 'token+0', ...(version !== '3.10' && { B1: given('token', version) }) },
      queue: '0/1',
    }),
  },
  {
    title: 'a declaration with other arguments is refused with 406, and changes nothing',
    beyondModel: 'one queue has one set of arguments there',
    script: [declare(), publish('token'), declare(LOCK), consume('A1')],
    outcome: { told: { S1: 'closed 406', A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'a delivery-limit policy below the argument wins, also over a queue that is there already',
    beyondModel: POLICIES,
    control: true,
    script: [
      declare(),
      publish('token'),
      policy({ 'delivery-limit': 1 }),
      consume('A1'),
      consume('B1'),
      consume('C1'),
      close('A1'),
      close('B1'),
    ],
    outcome: (version) => ({ told: { A1: 'token+0', B1: given('token', version) }, queue: '0/1' }),
  },
  {
    title: 'a message-ttl policy destroys a token as soon as it comes back after its time',
    beyondModel: POLICIES,
    control: true,
    script: [
      declare(),
      policy({ 'message-ttl': TTL_MS }),
      publish('token'),
      consume('A1'),
      consume('B1'),
      EXPIRED,
      nack('A1', 'token'),
      close('A1'),
    ],
    outcome: { told: { A1: 'token+0' }, queue: '0/1' },
  },
  {
    title: 'a max-length policy destroys the head: the token, when nobody holds it',
    beyondModel: POLICIES,
    control: true,
    script: [declare(), policy({ 'max-length': 1 }), publish('token'), publish('foreign'), consume('A1')],
    outcome: { told: { A1: 'foreign+0' }, queue: '0/1' },
  },
  {
    title: 'a max-length policy leaves a held token alone, and lets it come back in front of what is ready',
    beyondModel: POLICIES,
    control: true,
    script: [
      declare(),
      policy({ 'max-length': 1 }),
      publish('token'),
      consume('A1'),
      consume('B1'),
      publish('one'),
      publish('two'),
      close('A1'),
    ],
    outcome: (version) => ({ told: { A1: 'token+0', B1: given('token', version) }, queue: '1/1' }),
  },
];

/** What one channel saw that was handed the token so many times, and each time ended. */
function handedOut(times: number, version: Version): string {
  return Array.from({ length: times }, (_, ends) => given('token', version, ends)).join(' ');
}
