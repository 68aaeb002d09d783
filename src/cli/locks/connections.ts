import { isoOf, number, part, readRows, text } from '../management/answers.ts';
import type { Management } from '../management/client.ts';

export interface ConnectionFacts {
  /** `--label` of `baton run`. */
  readonly label: string | null;
  /** ISO 8601, of the broker's clock. */
  readonly since: string | null;
}

const MOST_LABEL = 200;
const rowSchema = part({
  name: text,
  connected_at: number,
  client_properties: part({ baton_label: text }),
});

/** What the broker knows of the connections of the virtual host, by their names. */
export async function readConnections(management: Management): Promise<ReadonlyMap<string, ConnectionFacts>> {
  const columns = 'name,connected_at,client_properties.baton_label';
  const rows = await management.get(`vhosts/${management.vhost}/connections?columns=${columns}`);
  return connectionsIn(rows);
}

/** In what the management API has answered. */
export function connectionsIn(answer: unknown): ReadonlyMap<string, ConnectionFacts> {
  return new Map(
    readRows(rowSchema, answer).map(({ name, connected_at, client_properties: { baton_label: label } }) => [
      name,
      { label: label === '' ? null : label.slice(0, MOST_LABEL), since: isoOf(connected_at) },
    ]),
  );
}
