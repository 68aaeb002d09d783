import { type Management, ManagementError } from './client.ts';

/** The nodes of the cluster that do not run, or are not seen; undefined if the management API tells nothing. */
export async function nodesAway(management: Management): Promise<readonly string[] | undefined> {
  try {
    const rows = (await management.get('nodes?columns=name,running')) as readonly Row[] | undefined;
    return rows?.filter(({ running }) => running !== true).map(({ name }) => String(name));
  } catch (error) {
    if (error instanceof ManagementError) return undefined;
    throw error;
  }
}

interface Row {
  readonly name?: unknown;
  readonly running?: unknown;
}
