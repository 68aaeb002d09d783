import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Backend, Step, View } from './script.ts';

const AGREE_WITHIN_MS = 3_000;
/** A view that has not changed for so long is what the step led to. */
const QUIET_MS = 100;
/** Something late would show by then. */
const LAST_LOOK_AFTER_MS = 50;
const POLL_MS = 2;

/** Plays a script on a broker, each step when nothing happens any more, until there is to be seen what should be. */
export async function play(
  script: readonly Step[],
  on: Backend,
  isExpected: (view: View) => boolean,
): Promise<View> {
  for (const step of script) {
    await on.perform(step);
    await atRest(on);
  }
  const deadline = performance.now() + AGREE_WITHIN_MS;
  for (;;) {
    const view = await atRest(on);
    if (isExpected(view) || performance.now() > deadline) return view;
  }
}

async function atRest(backend: Backend): Promise<View> {
  let view = await backend.view();
  for (let since = performance.now(); performance.now() - since < QUIET_MS; await sleep(POLL_MS)) {
    const next = await backend.view();
    if (isDeepStrictEqual(next, view)) continue;
    view = next;
    since = performance.now();
  }
  return view;
}

export class Disagreement extends Error {
  constructor(done: readonly Step[], expected: View, actual: View) {
    const steps = done.map((step) => JSON.stringify(step)).join('\n');
    super(`after\n${steps}\nthe model shows ${show(expected)}\nand the broker ${show(actual)}`);
    this.name = 'Disagreement';
  }
}

/** A broker beside the model: does each step on both, and compares what is to be seen when it has been done. */
export class Comparison {
  readonly #model: Backend;
  readonly #broker: Backend;
  readonly #done: Step[] = [];

  constructor(model: Backend, broker: Backend) {
    this.#model = model;
    this.#broker = broker;
  }

  /** @throws Disagreement when the broker has not come to show the same as the model within 3 s. */
  async perform(step: Step): Promise<void> {
    this.#done.push(step);
    await this.#model.perform(step);
    await this.#broker.perform(step);
    const expected = await this.#model.view();
    const deadline = performance.now() + AGREE_WITHIN_MS;
    for (;;) {
      const actual = await this.#broker.view();
      if (isDeepStrictEqual(actual, expected)) return;
      if (performance.now() > deadline) throw new Disagreement(this.#done, expected, actual);
      await sleep(POLL_MS);
    }
  }

  /** Looks once more, for what came late. */
  async end(): Promise<View> {
    await sleep(LAST_LOOK_AFTER_MS);
    const [expected, actual] = [await this.#model.view(), await this.#broker.view()];
    if (!isDeepStrictEqual(actual, expected)) throw new Disagreement(this.#done, expected, actual);
    return actual;
  }
}

const show = ({ channels, queue, register = '' }: View): string =>
  `${queue} ${register} ${Object.entries(channels)
    .sort()
    .map(([name, seen]) => `\n  ${name}: ${seen.join(', ')}`)
    .join('')}`;
