import type { RunEvents } from './run.ts';

/** On a terminal one line that is renewed with each strike; elsewhere one line per strike. */
export class Progress implements RunEvents {
  readonly problems: string[] = [];
  readonly #live = process.stderr.isTTY;
  #strikes = 0;

  step(what: string): void {
    this.#say(what, true);
  }

  struck: RunEvents['struck'] = ({ fault, aim, hit }) => {
    this.#strikes += 1;
    const held = hit.filter((one) => one.held).map(({ phase }) => phase);
    const caught = held.length === 0 ? 'nobody in the act' : [...new Set(held)].join(', ');
    this.#say(
      `strike ${this.#strikes}: ${fault}${aim === undefined ? '' : ` at ${aim}`}, caught ${caught}, ${hit.length} hit`,
      false,
    );
  };

  problem = (what: string): void => {
    this.problems.push(what);
    this.#say(what, true);
  };

  end(): void {
    if (this.#live) process.stderr.write('\n');
  }

  #say(what: string, lasting: boolean): void {
    if (!this.#live) console.error(what);
    else process.stderr.write(`\r\x1b[K${what}${lasting ? '\n' : ''}`);
  }
}
