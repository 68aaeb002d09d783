/**
 * A worker of which one runs in the whole fleet: start this everywhere. The leader works until it is stopped, dies or
 * loses the lock; then the one that has waited longest leads.
 *
 *   AMQP_URL=amqp://localhost npx tsx docs/examples/leader.ts
 */
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Lease, LeaseLostError } from 'batonmq';

const { AMQP_URL = 'amqp://localhost', LOCK = 'leader:mailer' } = process.env;
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

const say = (what: object) => console.log(JSON.stringify({ pid: process.pid, ...what }));

async function lead(lease: Lease): Promise<void> {
  const fence = String(lease.fence);
  const signal = AbortSignal.any([lease.signal, stopping.signal]);
  say({ leads: true, fence });
  while (!signal.aborted) {
    lease.throwIfLost(); // reads the clocks: right even after this process stood still
    say({ sent: Date.now(), fence });
    await pause(250, undefined, { signal }).catch(() => {});
  }
}

const baton = await connect(AMQP_URL, { service: 'mailer' });
say({ waits: true });
while (!stopping.signal.aborted) {
  try {
    await baton.lock(LOCK).run(lead, { signal: stopping.signal });
  } catch (error) {
    if (error instanceof LeaseLostError)
      say({ lost: error.reason }); // back into the line
    else if (!stopping.signal.aborted) throw error;
  }
}
await baton.close();
say({ left: true });
