import { v7 as uuid } from 'uuid';
import type { Logger } from '../logger.ts';
import { noticeQueueName } from '../protocol/topology.ts';
import type { LinkChannel } from './channel.ts';
import type { ChannelBudget } from './channel-budget.ts';
import type { Link } from './link.ts';
import type { HoldNotice } from './port.ts';

/** Channels of the service connection that notices leave to others. */
const SPARED_CHANNELS = 64;

interface Posted {
  readonly notice: HoldNotice;
  channel: LinkChannel | undefined;
  taken: boolean;
}

/**
 * Tells operators of holds. The broker shows who holds a lock, and neither since when nor with which fence. So a
 * session has an exclusive queue to which nobody ever publishes, and for each hold a consumer on it, whose arguments
 * say this. All of it is on the service connection: the lock connection carries nothing but locks.
 */
export class NoticeBoard {
  readonly #namespace: string;
  readonly #logger: Logger;
  readonly #budget: ChannelBudget;
  readonly #posted = new Set<Posted>();
  #link: Link | undefined;
  #queue: Promise<string> | undefined;

  constructor(namespace: string, logger: Logger, budget: ChannelBudget) {
    this.#namespace = namespace;
    this.#logger = logger;
    this.#budget = budget;
  }

  /** Takes all notices away when channels are scarce. */
  trim(): void {
    if (this.#budget.limit === undefined) return;
    for (const posted of this.#posted) {
      posted.channel?.close();
      posted.channel = undefined;
    }
  }

  /** Goes over to a new service connection: what was on the old one went with it. */
  moveTo(link: Link): void {
    this.#link = link;
    this.#queue = undefined;
    for (const posted of this.#posted) void this.#show(posted, link);
  }

  /** Returns a function that takes the notice away. */
  post(notice: HoldNotice): () => void {
    const posted: Posted = { notice, channel: undefined, taken: false };
    this.#posted.add(posted);
    if (this.#link !== undefined) void this.#show(posted, this.#link);
    return () => {
      posted.taken = true;
      this.#posted.delete(posted);
      posted.channel?.close();
    };
  }

  async #show(posted: Posted, link: Link): Promise<void> {
    if (link.ended || link.freeChannels < SPARED_CHANNELS || this.#budget.limit !== undefined) return;
    const { queue: lockQueue, consumerTag, fence, since } = posted.notice;
    try {
      this.#queue ??= this.#declare(link);
      const queue = await this.#queue;
      if (posted.taken || link !== this.#link) return;
      const channel = await link.openChannel();
      const facts = { queue: lockQueue, consumer: consumerTag, fence: String(fence), since };
      await channel.consume(queue, `hold/${uuid()}`, ignore, facts);
      if (posted.taken || this.#budget.limit !== undefined) channel.close();
      else posted.channel = channel;
    } catch (error) {
      // A user without the permissions, or a connection that is gone: the hold itself does not depend on it.
      this.#logger.debug({ err: error, queue: lockQueue }, 'no notice of this hold for operators');
    }
  }

  async #declare(link: Link): Promise<string> {
    const queue = noticeQueueName(this.#namespace, uuid());
    const channel = await link.openChannel();
    await channel.declareExclusive(queue);
    channel.close();
    return queue;
  }
}

const ignore = () => {};
