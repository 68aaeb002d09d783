import { flag, part, readRows, text } from './answers.ts';
import { type Management, ManagementError } from './client.ts';

const rowSchema = part({ name: text, running: flag });

/** The nodes of the cluster that do not run, or are not seen; undefined if the management API tells nothing. */
export async function nodesAway(management: Management): Promise<readonly string[] | undefined> {
  try {
    const rows = readRows(rowSchema, await management.get('nodes?columns=name,running'));
    // Somebody answers: if no node is told of, nothing is known.
    return rows.length === 0 ? undefined : rows.filter(({ running }) => !running).map(({ name }) => name);
  } catch (error) {
    if (error instanceof ManagementError) return undefined;
    throw error;
  }
}
