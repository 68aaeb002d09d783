import { hostname } from 'node:os';
import { type Lease, LeaseLostError, type Logger } from '../../index.ts';
import type { Policy } from '../../jobs/decide.ts';
import type { JobRecord } from '../../jobs/record.ts';
import { type Ending, takeTurn } from '../../jobs/turn.ts';
import { processName } from '../../protocol/topology.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { ago } from '../table.ts';
import { say } from '../talk.ts';

export interface Once {
  readonly policy: Policy;
  readonly service: string;
  readonly logger: Logger | undefined;
  /** The wall clock. */
  readonly now: () => number;
}

/** How the command ended, and what `baton run` exits with for it. */
export interface CommandEnd {
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
}

/** With the job's lock in hand: runs the command if its last tick is not done yet. Resolves with the exit code. */
export async function runOnce(
  lease: Lease<JobRecord>,
  { policy, service, logger, now }: Once,
  run: (environment: { BATON_TICK: string }) => Promise<CommandEnd>,
): Promise<number> {
  const job = lease.name;
  if (lease.minted)
    logger?.warn({ job }, 'nothing is remembered of this job: it is new, or its memory was lost');
  const by = processName({ service, host: hostname(), pid: process.pid });
  let code: number | undefined;
  try {
    // A call of `baton run` is there for its tick, however long ago that came.
    const turning = { policy, presentSinceMs: 0, by, now };
    const turn = await takeTurn(lease, turning, async (tick): Promise<Ending> => {
      const end = await run({ BATON_TICK: new Date(tick).toISOString() });
      code = end.code;
      const signal = end.signal === null ? {} : { signal: end.signal };
      return { outcome: code === EXIT.ok ? 'done' : 'failed', exitCode: code, ...signal };
    });
    if (turn.did === 'nothing' && turn.aheadMs !== undefined) {
      const until = ago(new Date(turn.done).toISOString(), now());
      say(
        `${JSON.stringify(job)} is recorded as done up to ${until}, ahead of this machine's clock: a clock was wrong, and the command does not run until then. docs/jobs.md (Clocks) says how to mend it`,
      );
    } else if (turn.did === 'nothing')
      logger?.info({ job, done: new Date(turn.done) }, 'the tick is done already');
    if (turn.did === 'begin' && turn.why === 'memory-lost') {
      say(
        `nothing is remembered of ${JSON.stringify(job)}: it is new, or its memory was lost. With --at-most-once the command runs at the next tick`,
      );
    }
    return code ?? EXIT.ok;
  } catch (error) {
    if (code === undefined) throw error;
    if (!(error instanceof LeaseLostError && code === EXIT.lost)) {
      say(`the end of the run was not recorded: ${error instanceof Error ? error.message : error}`);
    }
    return code === EXIT.ok ? exitCodeOf(error) : code;
  }
}
