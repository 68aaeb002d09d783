import type { BrokerControl } from '../../support/broker/types.ts';

export type Release = '3.10' | '4.0' | '4.3';
export const RELEASES: readonly Release[] = ['3.10', '4.0', '4.3'];

/** The brokers that a run is about. */
export interface Site {
  readonly kind: 'single' | 'cluster';
  readonly release: Release;
  /** As the first node says in connection.start. */
  readonly version: string;
  readonly nodes: readonly SiteNode[];
  /** What lies between the nodes; a single node has none. */
  readonly network?: Network;
  /** Which node (its index) leads each quorum queue, as far as it is known. */
  leaders(): Promise<ReadonlyMap<string, number>>;
  /**
   * Resolves when every node is up and sees the others, with the queues that have no leader and get none. Rejects after
   * two minutes.
   */
  whole(): Promise<string[]>;
  /**
   * Stops all nodes and starts them as this release, on the same data. (One node after the other is refused: a node of
   * 4.3.6 does not start beside those of 4.0.5, with every feature flag of theirs enabled: "`amqp_filter_set_bug`:
   * unsupported".) Only in clusters.
   */
  upgradeTo?(release: Release): Promise<void>;
  stop(): Promise<void>;
}

export interface SiteNode {
  readonly name: string;
  readonly url: string;
  readonly control: BrokerControl;
  /** The broker's process; undefined when it is not running. */
  pid(): Promise<number | undefined>;
  /** Stops the process in an orderly way and resolves when it is gone; `control.start()` starts it again. */
  shutdown(): Promise<void>;
  /** The folder with its logs, outside of any root. */
  readonly logs: string;
}

export interface Network {
  /** Nothing passes between this node and its peers, both ways, and nobody is told. Clients still reach it. */
  cut(node: number): Promise<void>;
  /** The same, and no client reaches it either. */
  isolate(node: number): Promise<void>;
  /** Undoes every cut and isolation. */
  heal(): Promise<void>;
}
