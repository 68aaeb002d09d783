import type { Inspection } from '../inspection.ts';
import { ManagementError } from '../management/client.ts';
import { type ConnectionFacts, readConnections } from './connections.ts';
import { type LockReport, reportOn } from './report.ts';

/** Everything that can be found out about one lock. */
export interface Details {
  readonly report: LockReport;
  /** By the connection's name. */
  readonly connections: ReadonlyMap<string, ConnectionFacts>;
  /** Why the management API told nothing. */
  readonly withoutManagement: string | undefined;
}

export async function readDetails(inspection: Inspection, name: string): Promise<Details> {
  const { session, management, namespace } = inspection;
  const { queue, lock } = await inspection.find(name);
  const read = async (from: typeof management | undefined): Promise<LockReport> => {
    const [report] = await reportOn([queue], { session, management: from, namespace });
    // A long name is only a hash in the name of the queue, and with slots there is none.
    return { ...(report ?? { queue, state: 'absent', problem: null, holder: null, waiters: null }), lock };
  };
  try {
    const report = await read(management);
    return { report, connections: await readConnections(management), withoutManagement: undefined };
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    return { report: await read(undefined), connections: new Map(), withoutManagement: error.message };
  }
}
