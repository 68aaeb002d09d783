import type { DemoEvent } from './events.ts';
import { handOffs } from './latency.ts';
import { plainLine } from './log.ts';
import { type Canvas, frame, type Scene } from './timeline.ts';

const REDRAW_MS = 125;

export interface Screen {
  onEvent(event: DemoEvent): void;
  /** Leaves the last frame standing. Idempotent. */
  close(): void;
}

/** A live view on a terminal, one line per event anywhere else. */
export function openScreen(out: NodeJS.WriteStream, scene: () => Scene): Screen {
  if (!out.isTTY || process.env.TERM === 'dumb') return new PlainScreen(out, scene);
  return new LiveScreen(out, scene);
}

class PlainScreen implements Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #scene: () => Scene;

  constructor(out: NodeJS.WriteStream, scene: () => Scene) {
    this.#out = out;
    this.#scene = scene;
  }

  onEvent(event: DemoEvent): void {
    // Two lines a job are enough to read along: who waits and who works is in the hand-offs.
    if (event.type === 'working' || event.type === 'releasing') return;
    const { events, startedAt } = this.#scene();
    const handOff =
      event.type === 'granted'
        ? handOffs(events).findLast(
            ({ fence, resource }) => fence === event.fence && resource === event.resource,
          )
        : undefined;
    this.#out.write(`${plainLine(event, startedAt, handOff)}\n`);
  }

  close(): void {}
}

class LiveScreen implements Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #scene: () => Scene;
  readonly #timer: NodeJS.Timeout;
  readonly #onResize = (): void => {
    // The terminal has moved the lines of the old frame about: where they begin is anybody's guess.
    this.#out.write('\x1b[2J\x1b[H');
    this.#height = 0;
    this.#draw();
  };
  #height = 0;
  #closed = false;

  constructor(out: NodeJS.WriteStream, scene: () => Scene) {
    this.#out = out;
    this.#scene = scene;
    out.write('\x1b[?25l');
    out.on('resize', this.#onResize);
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#draw();
  }

  onEvent(): void {}

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#out.off('resize', this.#onResize);
    this.#draw();
    this.#out.write('\x1b[?25h\n');
  }

  #draw(): void {
    const lines = frame(this.#scene(), canvasOf(this.#out));
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : '';
    // One write, and each line overwritten before its rest is erased: nothing is ever blank, so nothing flickers.
    const body = lines.map((line) => `${line}\x1b[K\n`).join('');
    this.#out.write(`\x1b[?2026h\r${up}${body}\x1b[J\x1b[?2026l`);
    this.#height = lines.length;
  }
}

function canvasOf(out: NodeJS.WriteStream): Canvas {
  // The cursor stands below the last line, so one row stays free.
  return { width: out.columns || 80, height: (out.rows || 24) - 1, color: !process.env.NO_COLOR };
}
