import type { Schedulers } from './types.ts';

export interface NodeSettings {
  readonly name: string;
  /** The node's folder as the node sees it. */
  readonly home: string;
  readonly distributionPort: number;
  /** A setting of Erlang's kernel application, for example `net_ticktime 60`. */
  readonly kernel: string;
  readonly schedulers: Schedulers;
}

/** One scheduler each, never spinning. */
const LIGHT = '+S 1:1 +A 4 +sbwt none +sbwtdcpu none +sbwtdio none';

/** The environment of a node that keeps everything in its own folder, whatever else the machine runs. */
export function nodeEnvironment({
  name,
  home,
  distributionPort,
  kernel,
  schedulers,
}: NodeSettings): Record<string, string> {
  return {
    PATH: [process.env.PATH ?? '', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':'),
    HOME: home,
    LANG: 'C.UTF-8',
    RABBITMQ_NODENAME: name,
    RABBITMQ_MNESIA_BASE: `${home}/db`,
    RABBITMQ_LOG_BASE: `${home}/log`,
    RABBITMQ_CONFIG_FILE: `${home}/rabbitmq.conf`,
    RABBITMQ_CONF_ENV_FILE: `${home}/env.conf`,
    RABBITMQ_ADVANCED_CONFIG_FILE: `${home}/advanced.config`,
    RABBITMQ_GENERATED_CONFIG_DIR: `${home}/generated`,
    RABBITMQ_SCHEMA_DIR: `${home}/schema`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${home}/enabled_plugins`,
    RABBITMQ_PID_FILE: `${home}/pid`,
    // Else a node whose folder is gone leaves a crash dump in the folder that the tests run in.
    ERL_CRASH_DUMP_BYTES: '0',
    RABBITMQ_DIST_PORT: String(distributionPort),
    // The script then becomes the node (exec) instead of being its parent, so the guard's child is the node itself.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_START_ARGS: '-noinput',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${schedulers === 'light' ? `${LIGHT} ` : ''}-kernel ${kernel}`,
  };
}
