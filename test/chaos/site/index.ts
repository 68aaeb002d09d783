import { startCluster } from './cluster.ts';
import { startSingle } from './single.ts';
import type { Release, Site } from './types.ts';

export type * from './types.ts';
export { RELEASES } from './types.ts';

/** Brings up brokers of one version, which end with this process. `log`: one line per step that takes long. */
export const startSite = (
  kind: Site['kind'],
  release: Release,
  log: (line: string) => void,
): Promise<Site> => (kind === 'single' ? startSingle(release, log) : startCluster(release, log));
