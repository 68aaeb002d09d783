import { fileURLToPath } from 'node:url';
import { run } from '../support/broker/run.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Examples import `batonmq` as a user does, and so the build. */
export async function setup(): Promise<void> {
  await run(['npm', 'run', 'build', '--prefix', PROJECT], { timeoutMs: 120_000 });
}
