import type { Management } from '../management/client.ts';

export interface ConnectionFacts {
  /** `--label` of `baton run`. */
  readonly label: string | null;
  /** ISO 8601, of the broker's clock. */
  readonly since: string | null;
}

/** What the broker knows of the connections of the virtual host, by their names. */
export async function readConnections(management: Management): Promise<ReadonlyMap<string, ConnectionFacts>> {
  const columns = 'name,connected_at,client_properties.baton_label';
  const rows = await management.get(`vhosts/${management.vhost}/connections?columns=${columns}`);
  return new Map(
    (Array.isArray(rows) ? rows : []).map((row): [string, ConnectionFacts] => {
      const { name, connected_at, client_properties } = row as {
        name?: unknown;
        connected_at?: unknown;
        client_properties?: { baton_label?: unknown };
      };
      const label = client_properties?.baton_label;
      const since = typeof connected_at === 'number' ? new Date(connected_at).toISOString() : null;
      return [String(name), { label: typeof label === 'string' ? label : null, since }];
    }),
  );
}
