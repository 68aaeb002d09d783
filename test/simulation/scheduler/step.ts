import type { Role } from '../client/state.ts';
import type { Fault } from '../config.ts';
import type { BrokerStep } from '../model/index.ts';

/** One choice of the scheduler. Everything that happens in a world is one of these. */
export type Step =
  | BrokerStep
  /** A client reads the next frame of a channel. */
  | { readonly do: 'receive'; readonly client: number; readonly channel: number }
  /** A timer fires. */
  | { readonly do: 'wake'; readonly client: number; readonly contender: number }
  | { readonly do: 'token-watch'; readonly client: number }
  | { readonly do: 'dial' | 'notice-end'; readonly client: number; readonly role: Role }
  /** The broker gives a connection up: its client is gone, or has been silent for too long. */
  | { readonly do: 'give-up-connection'; readonly connection: number }
  | { readonly do: 'acquire' | 'try' | 'shutdown'; readonly client: number }
  | {
      readonly do: 'release' | 'pass-on' | 'verify' | 'give-up';
      readonly client: number;
      readonly contender: number;
    }
  /** The holder saves, or releases with a state. */
  | { readonly do: 'save' | 'leave'; readonly client: number; readonly contender: number }
  /** The holder writes to the resource that the lock protects. */
  | { readonly do: 'write'; readonly client: number; readonly contender: number }
  | { readonly do: 'fault'; readonly fault: Fault; readonly target: number; readonly variant: number }
  | { readonly do: 'resume' | 'unstall'; readonly client: number; readonly role?: Role }
  | { readonly do: 'link-noticed' | 'link-patience' | 'link-restore'; readonly node: number }
  | { readonly do: 'alarm-over' }
  | { readonly do: 'advance'; readonly ms: number };
