/** A contender in a process of its own, driven over IPC: `{ do, lock, ... }` in, `{ type, ... }` out. */
import { subscribe } from 'node:diagnostics_channel';
import { z } from 'zod';
import { type ConnectOptions, connect, isBatonError, type Lease } from '../../../src/index.ts';

export type Command =
  /** With `state` the lock carries a number. */
  | { readonly do: 'acquire'; readonly lock: string; readonly state?: boolean }
  | { readonly do: 'save'; readonly value: number }
  /** Says what `throwIfLost` and `signal` say at the first instruction after this message was read. */
  | { readonly do: 'check' }
  | { readonly do: 'release' };

export type Report =
  | { readonly type: 'ready' | 'waiting' | 'saved' | 'released' }
  | { readonly type: 'granted'; readonly fence: string }
  | { readonly type: 'lost'; readonly reason: string; readonly at: number }
  | { readonly type: 'checked'; readonly threw: string | undefined };

const report = (message: Report) => process.send?.(message);
const options = JSON.parse(process.env.CONTENDER_OPTIONS ?? '{}') as ConnectOptions;
const baton = await connect(process.env.CONTENDER_URL ?? '', options);
let lease: Lease<number> | Lease<undefined> | undefined;
const number = { state: z.number() };

subscribe('batonmq:waiting', () => report({ type: 'waiting' }));

process.on('message', (command: Command) => {
  carryOut(command).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  });
});
// Anybody who drives this is gone: a test that timed out, or a run that was interrupted.
process.on('disconnect', () => process.exit());
report({ type: 'ready' });

async function carryOut(command: Command): Promise<void> {
  switch (command.do) {
    case 'acquire':
      lease = await (command.state ? baton.lock(command.lock, number) : baton.lock(command.lock)).acquire();
      lease.signal.addEventListener('abort', () => {
        report({ type: 'lost', reason: lease?.signal.reason.reason, at: Date.now() });
      });
      report({ type: 'granted', fence: String(lease.fence) });
      return;
    case 'check': {
      let threw: string | undefined;
      try {
        lease?.throwIfLost();
      } catch (error) {
        threw = isBatonError(error) ? error.code : String(error);
      }
      report({ type: 'checked', threw });
      return;
    }
    case 'save':
      await (lease as Lease<number>).save(command.value);
      report({ type: 'saved' });
      return;
    case 'release':
      await lease?.release();
      report({ type: 'released' });
  }
}
