import type { QueueName, Version } from '../model/index.ts';

/**
 * One thing done to a broker. A channel is named by its connection and a number, `A1`, and is opened on first use.
 * Declarations, looks, purges and deletions go over a channel of the script's own, publishes over another one, with
 * confirms and `mandatory`. What is not said to be `of` the register concerns the lock's queue.
 */
export type Step =
  /** `arguments`: instead of those of a lock's queue. */
  | {
      readonly do: 'declare';
      readonly arguments?: Readonly<Record<string, string | number | boolean>>;
      readonly of?: QueueName;
    }
  /** `restart` in an orderly way, `kill` with SIGKILL and start. */
  | { readonly do: 'restart' | 'kill' }
  | { readonly do: 'purge' | 'delete'; readonly of?: QueueName }
  /** Deletes the queue and, `afterMs` after delete-ok, declares it again. */
  | { readonly do: 'recreate'; readonly afterMs: number }
  /** The message's whole body; unique in a script, so that it names the message. */
  | {
      readonly do: 'publish';
      readonly message: string;
      readonly ttlMs?: number;
      readonly of?: QueueName;
    }
  /** `prefetch`: 1 by default. */
  | {
      readonly do: 'consume';
      readonly of?: QueueName;
      readonly channel: string;
      readonly prefetch?: number;
      readonly priority?: number;
    }
  /** `look`: a passive declare, the barrier of a try. `get`: basic.get. */
  | { readonly do: 'cancel' | 'close' | 'look' | 'get'; readonly channel: string }
  /** basic.qos with the global flag, on 3.10: 4.3 refuses it. */
  | { readonly do: 'limit'; readonly channel: string }
  /** Of the latest delivery of that message to that channel. `nack` and `reject` requeue. */
  | { readonly do: 'ack' | 'nack' | 'reject'; readonly channel: string; readonly message: string }
  /** `drop` resets the socket, `leave` closes in an orderly way. */
  | { readonly do: 'drop' | 'leave'; readonly connection: string }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'alarm'; readonly on: boolean }
  /** Replaces the queue's policy; `undefined` removes it. */
  | { readonly do: 'policy'; readonly definition: Readonly<Record<string, string | number>> | undefined };

/** The channel over which a script publishes. */
export const PUBLISHER = 'P1';
/** The channel over which it declares, purges and deletes. */
export const SERVICE = 'S1';

/**
 * What is to be seen of a broker: for each channel everything that arrived on it, in order, and what a passive declare
 * says. A delivery is `token+2*~1`: the message, `x-acquired-count` + `x-delivery-count`, a star when redelivered, and how
 * much higher the first count is.
 */
export interface View {
  readonly channels: Readonly<Record<string, readonly string[]>>;
  /** `ready/consumers`, or `absent`. */
  readonly queue: string;
  /** The same of the register, in a script that has one. */
  readonly register?: string;
}

/** Something that scripts can be played on. */
export interface Backend {
  /** Does it; what follows from it may show later. */
  perform(step: Step): Promise<void>;
  view(): Promise<View>;
  /** Ends everything that the script opened, queue, policy and alarm included. */
  end(): Promise<void>;
}

/** What came of a script, by channel, answers and confirms aside. Channels left out have seen nothing. */
export interface Outcome {
  readonly told: Readonly<Record<string, string>>;
  readonly queue: string;
  readonly register?: string;
}

/** A fact about RabbitMQ that the protocol relies on or has to live with. */
export interface Scenario {
  readonly title: string;
  readonly script: readonly Step[];
  readonly outcome: Outcome | ((version: Version) => Outcome);
  /** Why the model does not know this; then only the real broker is looked at. */
  readonly beyondModel?: string;
  /** Its outcome is a race that the script may lose on a busy machine: it is tried several times. */
  readonly race?: true;
  /** Needs control over the broker: alarms, policies, restarts. */
  readonly control?: true;
}

export const connectionOf = (channel: string): string => channel.slice(0, 1);

export const delivery = (
  message: string,
  returns: number,
  redelivered: boolean,
  nacked: number | undefined = 0,
): string => `${message}+${returns}${redelivered ? '*' : ''}${nacked === 0 ? '' : `~${nacked}`}`;

/** These are compared too, but go without saying in an {@link Outcome}: which returns were nacks, and answers. */
const isAnswer = (observation: string): boolean => /-ok\b|^confirmed /.test(observation);

/** A view as an outcome. */
export function outcomeOf({ channels, ...depths }: View): Outcome {
  const told = Object.entries(channels)
    .map(
      ([channel, seen]) =>
        [
          channel,
          seen
            .filter((each) => !isAnswer(each))
            .join(' ')
            .replaceAll(/~\d+/g, ''),
        ] as const,
    )
    .filter(([, text]) => text !== '');
  return { told: Object.fromEntries(told), ...depths };
}

/** How much a message is counted up when the channel of its holder ends, in whatever way. */
export const countOfAnEnd = (version: Version): number => (version === '4.3' ? 2 : 1);

/** The delivery of a message whose holders' channels have ended so many times. */
export const given = (message: string, version: Version, ends = 1): string =>
  delivery(message, ends * countOfAnEnd(version), ends > 0);

/** Each of these channels was handed the token, one after the other. */
export const inTurn = (version: Version, ...channels: string[]): Record<string, string> =>
  Object.fromEntries(channels.map((channel, ends) => [channel, given('token', version, ends)]));

/** Whether a step concerns the register. */
export const isOfRegister = (step: Step): boolean => 'of' in step && step.of === 'register';

export type DeclareStep = Extract<Step, { do: 'declare' }>;
