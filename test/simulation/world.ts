import type { Instant } from '../../src/protocol/instant.ts';
import { type ChecksState, cloneChecks, newChecks } from './checks/state.ts';
import { type Client, cloneClient, newClient } from './client/state.ts';
import { type Config, knowledgeIn } from './config.ts';
import { cloneModel, createModel, type Model } from './model/index.ts';

/** The wall clock at the beginning. */
export const EPOCH_MS = 1_800_000_000_000;

/** A token or probe that was made, by number; its label is `token#n`. */
export interface Minted {
  readonly label: string;
  readonly base: bigint;
  /** Its maker's wall clock. */
  readonly at: number;
  /** By how much its base is ahead of the right time. A base can be above the clock of its maker as well. */
  readonly aheadMs: number;
}

/** What the holder with that fence wrote as its `seq`th entry. */
export interface Write {
  readonly fence: bigint;
  readonly seq: number;
}

/** A save, by what it was written as first, and the hand-out of the token that its holder had been granted. */
export interface Save extends Write {
  readonly holder: number;
}

/** An entry of the register, by number; its label is `entry#n`. `save` numbers what it says; a seed says nothing. */
export interface Written extends Write {
  readonly save: number | undefined;
}

/** A connection whose client is gone; the broker has not noticed yet. */
export interface Orphan {
  readonly connection: number;
  readonly stalled: boolean;
  readonly lastWriteAt: number;
}

/** Everything that there is: plain data, copied with {@link cloneWorld}. */
export interface World {
  readonly config: Config;
  readonly model: Model;
  readonly clients: Client[];
  orphans: readonly Orphan[];
  /** The connections of somebody else: an operator, a script. */
  outsiders: readonly number[];
  minted: readonly Minted[];
  written: readonly Written[];
  /** What was saved, by number, which is the state itself. An entry that is written again is no new save. */
  saves: readonly Save[];
  faults: number;
  /** From then on faults are healed and none is added. */
  calm: boolean;
  /** When the links of a node were stalled or dropped. */
  linkSince: (number | undefined)[];
  /** Numbers between 0 and 1; a constant where all orders are tried anyway. */
  jitter: () => number;
  checks: ChecksState;
  /** Filled when the run is told step by step. */
  story: string[] | undefined;
}

export function newWorld(config: Config, jitter: () => number): World {
  return {
    config,
    model: createModel(config.version, config.nodes),
    clients: Array.from({ length: config.clients }, (_, id) =>
      newClient(id, id % config.nodes, knowledgeIn(config)),
    ),
    orphans: [],
    outsiders: [],
    minted: [],
    written: [],
    saves: [],
    faults: 0,
    calm: false,
    linkSince: Array.from({ length: config.nodes }, () => undefined),
    jitter,
    checks: newChecks(),
    story: undefined,
  };
}

export function cloneWorld(world: World): World {
  return {
    ...world,
    model: cloneModel(world.model),
    clients: world.clients.map(cloneClient),
    linkSince: world.linkSince.slice(),
    checks: cloneChecks(world.checks),
    story: world.story?.slice(),
  };
}

export function instantOf({ model }: World, { monoShift, wallShift }: Client): Instant {
  return { mono: model.now + monoShift, wall: EPOCH_MS + model.now + wallShift };
}

export function say(world: World, what: () => string): void {
  world.story?.push(`${String(world.model.now).padStart(7)} ms  ${what()}`);
}
