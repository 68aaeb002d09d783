import { randomUUID } from 'node:crypto';
import type { Channel, ConfirmChannel, ConsumeMessage, Replies } from 'amqplib/callback_api';
import { delivery, isOfRegister, type Step } from './script.ts';

type ChannelStep = Exclude<Extract<Step, { channel: string }>, { do: 'limit' }>;

/** One AMQP channel, and everything that arrived on it. */
export class RealChannel {
  readonly seen: string[];
  readonly #raw: Channel;
  readonly #deliveries = new Map<string, ConsumeMessage>();
  #tag = '';
  #isOpen = true;
  #left = false;

  /** `seen`: what arrived on an earlier channel of the same name. */
  constructor(raw: Channel, seen: string[] = []) {
    this.#raw = raw;
    this.seen = seen;
    let code: number | undefined;
    raw.on('error', (error: unknown) => {
      code = codeOf(error);
    });
    raw.on('close', () => {
      this.#note(code === undefined ? 'lost' : `closed ${code}`);
      this.#isOpen = false;
    });
    raw.on('return', (message) => this.#note(`returned ${message.content}`));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** From now on what happens to it is the script's own doing. */
  leave(): void {
    this.#left = true;
    this.#isOpen = false;
  }

  /**
   * An answer is noted the moment it is read, which promises would not allow: what comes right behind it would be
   * noted first. A refusal shows as the end of the channel.
   */
  async request(name: string, send: (channel: Channel, done: Answered<unknown>) => void): Promise<void> {
    try {
      await call((done) =>
        send(this.#raw, (error, answer) => {
          if (!error) this.#note(isDepth(answer) ? `${name}-ok ${depth(answer)}` : `${name}-ok`);
          done(error, answer);
        }),
      );
    } catch (error) {
      if (codeOf(error) === undefined && !this.#left && this.#isOpen) throw error;
    }
  }

  /** Not awaited: during an alarm no confirm comes. */
  publish(queue: string, message: string, ttlMs: number | undefined): void {
    const options = {
      persistent: true,
      mandatory: true,
      ...(ttlMs !== undefined && { expiration: String(ttlMs) }),
    };
    (this.#raw as ConfirmChannel).sendToQueue(queue, Buffer.from(message), options, (error: unknown) => {
      if (!this.#left && this.#isOpen) this.#note(error ? `refused ${message}` : `confirmed ${message}`);
    });
  }

  async perform(step: ChannelStep, queue: string): Promise<void> {
    switch (step.do) {
      case 'consume':
        return this.#consume(queue, step);
      case 'look':
        return this.request('look', (it, done) => it.checkQueue(queue, done));
      case 'get':
        return this.request('get', (it, done) => it.get(queue, {}, done));
      case 'cancel':
        return this.request('cancel', (it, done) => it.cancel(this.#tag, done));
      case 'close':
        this.#left = true;
        await call((done) => this.#raw.close(done));
        this.#isOpen = false;
        this.seen.push('close-ok');
        return;
      case 'ack':
        return this.#raw.ack(this.#delivered(step.message));
      case 'nack':
        return this.#raw.nack(this.#delivered(step.message));
      case 'reject':
        return this.#raw.reject(this.#delivered(step.message));
    }
  }

  async limit(): Promise<void> {
    await call((done) => this.#raw.prefetch(1, true, done));
  }

  async #consume(queue: string, step: Extract<Step, { do: 'consume' }>): Promise<void> {
    const { prefetch = 1, priority } = step;
    await call((done) => this.#raw.prefetch(prefetch, false, done));
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) {
        this.#note(isOfRegister(step) ? 'cancelled register' : 'cancelled');
        return;
      }
      const { content, fields, properties } = message;
      this.#deliveries.set(String(content), message);
      const count = (name: string): number => Number(properties.headers?.[name] ?? 0);
      const acquired = count('x-acquired-count');
      const failed = count('x-delivery-count');
      const nacked = acquired === 0 ? 0 : acquired - failed;
      this.#note(delivery(String(content), acquired + failed, fields.redelivered, nacked));
    };
    const consumerTag = randomUUID();
    if (!isOfRegister(step)) this.#tag = consumerTag;
    const options = { consumerTag, ...(priority !== undefined && { priority }) };
    await this.request('consume', (it, done) => it.consume(queue, take, options, done));
  }

  #delivered(message: string): ConsumeMessage {
    const found = this.#deliveries.get(message);
    if (found === undefined) throw new Error(`${message} was never delivered here`);
    return found;
  }

  #note(observation: string): void {
    if (!this.#left) this.seen.push(observation);
  }
}

/** The AMQP reply code of a refusal. */
export function codeOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

export type Answered<T> = (error: Error | null, answer?: T) => void;

/** One call of amqplib's callback interface, as a promise. */
export function call<T>(start: (done: Answered<T>) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    start((error, answer) => (error ? reject(error) : resolve(answer as T))),
  );
}

const isDepth = (answer: unknown): answer is Replies.AssertQueue =>
  typeof answer === 'object' && answer !== null && 'consumerCount' in answer;

const depth = ({ messageCount, consumerCount }: Replies.AssertQueue): string =>
  `${messageCount}/${consumerCount}`;
