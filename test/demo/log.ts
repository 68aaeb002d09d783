import { byTime, type DemoEvent } from './events.ts';
import { type HandOff, handOffs } from './latency.ts';
import { milliseconds, type Span, STYLE, seconds, shortFence } from './paint.ts';

/** What the live view keeps in words: hand-offs and everything out of the ordinary, oldest first. */
export function story(events: readonly DemoEvent[], startedAt: number): Span[][] {
  const passed = new Map(
    handOffs(events).map((handOff) => [`${handOff.resource} ${handOff.fence}`, handOff]),
  );
  return byTime(events).flatMap((event) => {
    const handOff =
      event.type === 'granted' ? passed.get(`${event.resource} ${event.fence ?? ''}`) : undefined;
    const told = handOff === undefined ? tell(event) : tellHandOff(handOff);
    if (told === undefined) return [];
    return [[{ text: head(event, startedAt), style: STYLE.dim }, ...told]];
  });
}

/** One event on one line, for everything that is not a terminal. `handOff` is the one that a grant completed. */
export function plainLine(event: DemoEvent, startedAt: number, handOff?: HandOff): string {
  const { type, worker, job, fence } = event;
  const told = tell(event) ?? [{ text: `${worker} ${type.padEnd(9)} job ${job}` }];
  const text = told.map((span) => span.text).join('');
  const passed = handOff === undefined ? '' : `  (${passage(handOff)})`;
  const shown = type === 'granted' && fence !== undefined ? `  fence ${fence}` : '';
  return `${head(event, startedAt)}${text}${shown}${passed}`;
}

function head({ at, resource }: DemoEvent, startedAt: number): string {
  return `${seconds(at - startedAt)}  ${resource.padEnd(8)}`;
}

function tellHandOff(handOff: HandOff): Span[] {
  const { from, to, fence, after } = handOff;
  const rest = `   fence ${shortFence(fence)}`;
  const style = after === 'releasing' ? undefined : STYLE.yellow;
  return [
    { text: `${from} → ${to}  ${passage(handOff)}`, style },
    { text: rest, style: STYLE.dim },
  ];
}

const SIGNALS = { killed: 'SIGKILL', frozen: 'SIGSTOP' } as const;

function passage({ after, ms, from }: HandOff): string {
  if (after === 'releasing') return `handed over by ${from} in ${milliseconds(ms)}`;
  return `${milliseconds(ms)} after the ${SIGNALS[after]} of ${from}`;
}

/** The events that deserve a sentence. */
function tell({ type, worker, job, reason }: DemoEvent): Span[] | undefined {
  switch (type) {
    case 'killed':
      return [{ text: `${worker} is killed with SIGKILL in the middle of job ${job}`, style: STYLE.red }];
    case 'frozen':
      return [{ text: `${worker} is frozen with SIGSTOP in the middle of job ${job}`, style: STYLE.red }];
    case 'continued':
      return [{ text: `${worker} is woken with SIGCONT; somebody else holds the lock`, style: STYLE.yellow }];
    case 'lost':
      return [{ text: `${worker} sees that its lease is lost: ${reason ?? '?'}`, style: STYLE.yellow }];
    case 'late-refused':
      return [{ text: `${worker} writes late all the same: refused by its fence`, style: STYLE.green }];
    case 'late-accepted':
      return [{ text: `${worker} writes late all the same: ACCEPTED`, style: STYLE.red }];
    default:
      return undefined;
  }
}
