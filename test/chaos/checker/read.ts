import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type HistoryEvent, historyEventSchema } from '../history.ts';

/** A line that is no event. */
export interface BadLine {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

export interface History {
  /** In order of time; events of one process that bear the same time in the order of writing. */
  readonly events: readonly HistoryEvent[];
  readonly bad: readonly BadLine[];
}

/** Reads and merges history files; a folder stands for the `*.jsonl` in it. */
export async function readHistory(paths: readonly string[]): Promise<History> {
  const events: HistoryEvent[] = [];
  const bad: BadLine[] = [];
  for (const file of (await Promise.all(paths.map(filesOf))).flat()) {
    let line = 0;
    for await (const text of createInterface({ input: createReadStream(file) })) {
      line += 1;
      const event = parse(text);
      if (typeof event === 'string') bad.push({ file: basename(file), line, problem: event });
      else events.push(event);
    }
  }
  events.sort((one, other) => one.at - other.at);
  return { events, bad };
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => name.endsWith('.jsonl')).sort();
  if (names.length === 0) throw new Error(`${path} holds no history`);
  return names.map((name) => join(path, name));
}

/** The event, or what is wrong with the line. */
function parse(text: string): HistoryEvent | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return `not JSON: ${text.slice(0, 100)}`;
  }
  const result = historyEventSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  return `${problems.join('; ')}: ${text.slice(0, 100)}`;
}
