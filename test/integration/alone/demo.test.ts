import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { check, type Outcome } from '../../demo/check.ts';
import type { DemoEvent, Job } from '../../demo/events.ts';
import { handOffs, spreadOf } from '../../demo/latency.ts';
import type { JournalLine } from '../../demo/store.ts';
import { frame, type Scene } from '../../demo/timeline.ts';
import { sharedBroker } from '../../support/broker/index.ts';
import { startProgram } from '../../support/processes.ts';

const MAIN = new URL('../../demo/main.ts', import.meta.url);

async function startDemo(...args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'batonmq-demo-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const demo = startProgram(MAIN, { args, env: { BATON_URL: sharedBroker().url, TMPDIR: folder } });
  onTestFinished(async () => void (await demo.kill()));
  const leftovers = async (): Promise<string[]> => {
    const queues = (await sharedBroker().control?.ctl('list_queues', 'name')) ?? '';
    // What tsx keeps in its cache there is not ours.
    const files = (await readdir(folder)).filter((name) => name.startsWith('batonmq'));
    return [...files, ...queues.split('\n').filter((name) => name.startsWith('baton.demo-'))];
  };
  return { demo, leftovers };
}

describe('npm run demo', () => {
  test('ends with code 0, a passed check and the latencies, and leaves nothing behind', async () => {
    const { demo, leftovers } = await startDemo();
    const { code } = await demo.exit;
    expect({ code, stderr: demo.stderr }).toEqual({ code: 0, stderr: '' });
    expect(demo.stdout).toMatch(/ jobs +40 of 40 in /);
    expect(demo.stdout).toMatch(/ hand-off +median [\d.]+ ms, p95 [\d.]+ ms, worst [\d.]+ ms/);
    expect(demo.stdout).toMatch(/ SIGKILL +next grant after [\d.]+ ms/);
    expect(demo.stdout).toMatch(/ SIGSTOP +next grant after [\d.]+ ms/);
    expect(demo.stdout).toMatch(/ late writes +1 refused/);
    expect(demo.stdout).toMatch(/ check +ok/);
    expect(demo.stdout).not.toContain('\x1b');
    expect(await leftovers()).toEqual([]);
  });

  test('ends with code 1 and names the lost updates when the fleet takes no locks', async () => {
    const { demo } = await startDemo('--without-lock');
    expect((await demo.exit).code).toBe(1);
    expect(demo.stdout).toMatch(/ check +FAILED/);
    expect(demo.stdout).toContain('lost update on berlin');
  });

  test('clears up when it is interrupted while a worker stands frozen', async () => {
    const { demo, leftovers } = await startDemo();
    await expect.poll(() => demo.stdout, { timeout: 30_000, interval: 50 }).toContain('frozen with SIGSTOP');
    demo.signal('SIGINT');
    expect((await demo.exit).code).toBe(130);
    expect(await leftovers()).toEqual([]);
  });
});

/** w1 is frozen with job 01, which w2 does; w3 is killed with job 02, which w2 does as well. */
const STORY: readonly [at: number, type: DemoEvent['type'], worker: string, job: string, fence?: string][] = [
  [100, 'waiting', 'w1', '01'],
  [200, 'granted', 'w1', '01', '10'],
  [450, 'frozen', 'w1', '01', '10'],
  [500, 'waiting', 'w2', '01'],
  [2000, 'granted', 'w2', '01', '12'],
  [2001, 'continued', 'w1', '01', '10'],
  [2002, 'lost', 'w1', '01', '10'],
  [2003, 'late-refused', 'w1', '01', '10'],
  [2100, 'waiting', 'w3', '02'],
  [3000, 'releasing', 'w2', '01', '12'],
  [3001, 'done', 'w2', '01', '12'],
  [3003, 'granted', 'w3', '02', '13'],
  [3500, 'killed', 'w3', '02', '13'],
  [3510, 'waiting', 'w2', '02'],
  [3512, 'granted', 'w2', '02', '14'],
  [4000, 'releasing', 'w2', '02', '14'],
  [4001, 'done', 'w2', '02', '14'],
];
const JOBS: readonly Job[] = ['01', '02'].map((id) => ({ id, resource: 'berlin', amount: 3, pauses: [] }));
const EVENTS = STORY.map(
  ([at, type, worker, job, fence]): DemoEvent => ({ at, type, worker, job, fence, resource: 'berlin' }),
);
const FIRST: JournalLine = { job: '01', fence: '12', worker: 'w2', before: 0, after: 3 };
const SECOND: JournalLine = { job: '02', fence: '14', worker: 'w2', before: 3, after: 6 };

function outcome(changes: { events?: DemoEvent[]; journal?: JournalLine[]; value?: number } = {}): Outcome {
  const { events = [...EVENTS], journal = [FIRST, SECOND], value = 6 } = changes;
  return { jobs: JOBS, events, files: new Map([['berlin', { journal, value }]]) };
}

/** The story with one event, given by its place, changed. */
function retold(at: number, change: Partial<DemoEvent>): DemoEvent[] {
  expect(EVENTS.some((event) => event.at === at)).toBe(true);
  return EVENTS.map((event) => (event.at === at ? { ...event, ...change } : event));
}

const without = (...times: number[]): DemoEvent[] => EVENTS.filter(({ at }) => !times.includes(at));

describe('the check of the demo', () => {
  test('accepts a history in which nothing went wrong', () => {
    expect(check(outcome())).toEqual([]);
  });

  test.each<[string, Outcome, RegExp]>([
    ['an overlap', outcome({ events: retold(3003, { at: 2500 }) }), /overlap on berlin: w3 .* while w2/],
    [
      'a lost update',
      outcome({ journal: [FIRST, { ...SECOND, before: 0, after: 3 }], value: 3 }),
      /lost upd/,
    ],
    ['a wrong final value', outcome({ value: 3 }), /ends with 3 instead of 6/],
    ['a wrong change', outcome({ journal: [{ ...FIRST, after: 4 }, SECOND] }), /by 4 instead of 3/],
    ['a falling fence in a file', outcome({ journal: [FIRST, { ...SECOND, fence: '11' }] }), /journal .* 11/],
    ['the same fence twice', outcome({ journal: [FIRST, { ...SECOND, fence: '12' }] }), /do not rise/],
    ['a falling fence of a grant', outcome({ events: retold(3512, { fence: '9' }) }), /grants .* 9 of w2/],
    ['a missing job', outcome({ journal: [FIRST], value: 3 }), /job 02 is missing/],
    ['a job done twice', outcome({ journal: [FIRST, FIRST, SECOND] }), /job 01 was done 2 times/],
    ['a job never reported done', outcome({ events: without(4001) }), /job 02 was reported done 0 times/],
    ['a hold that never ends', outcome({ events: without(4000) }), /w2 never released/],
    ['no kill', outcome({ events: without(3500) }), /no holder was killed/],
    ['no freeze', outcome({ events: without(450) }), /no holder was frozen/],
    ['a worker left frozen', outcome({ events: without(2001) }), /w1 was never continued/],
    ['a successor only after waking', outcome({ events: retold(2001, { at: 1999 }) }), /nobody was granted/],
    ['a zombie that works on', outcome({ events: retold(2002, { type: 'releasing' }) }), /did not notice/],
    ['a late write accepted', outcome({ events: retold(2003, { type: 'late-accepted' }) }), /accepted a wri/],
    [
      "the dead worker's write",
      outcome({ journal: [FIRST, { ...SECOND, worker: 'w3' }] }),
      /not done by ano/,
    ],
  ])('rejects %s', (_, history, finding) => {
    expect(check(history).join('\n')).toMatch(finding);
  });
});

describe('the timeline of the demo', () => {
  const sceneAt = (now: number): Scene => {
    const events = EVENTS.filter(({ at }) => at <= now);
    return { workers: ['w1', 'w2', 'w3'], resources: ['berlin'], jobs: 2, events, startedAt: 0, now };
  };
  const canvases = [20, 40, 79, 80, 120, 250].flatMap((width) =>
    [5, 23, 60].flatMap((height) => [true, false].map((color) => ({ width, height, color }))),
  );

  test('stays within its canvas at any time, and colours only where it may', () => {
    for (const canvas of canvases) {
      for (const now of [0, 50, 250, 1_000, 2_500, 3_505, 4_001, 60_000]) {
        const lines = frame(sceneAt(now), canvas);
        const widest = Math.max(...lines.map((line) => [...stripVTControlCharacters(line)].length));
        expect({ canvas, now, tooWide: widest > canvas.width }).toEqual({ canvas, now, tooWide: false });
        expect(lines.length).toBeLessThanOrEqual(canvas.height);
        expect(lines.join('').includes('\x1b')).toBe(canvas.color);
      }
    }
  });

  test('shows holder, fence, waiters, and what each worker did', () => {
    const canvas = { width: 80, height: 23, color: false };
    const frozen = frame(sceneAt(1_000), canvas);
    expect(frozen[3]).toMatch(/berlin +w1 FROZEN +01 +10 +1 +w2$/);
    expect(frozen.slice(5, 8)).toEqual([' w1  .BB####', ' w2     ....', ' w3']);
    const dead = frame(sceneAt(3_505), canvas);
    expect(dead[3]).toMatch(/berlin +nobody +13 +3$/);
    expect(dead[7]).toMatch(/^ w3 +\.+B+X/);
    expect(dead.join('\n')).toMatch(/w3 is killed with SIGKILL/);
  });
});

describe('the latencies of the demo', () => {
  test('run from the release, the kill or the freeze to the next grant', () => {
    expect(handOffs(EVENTS).map(({ after, from, to, ms }) => [after, from, to, ms])).toEqual([
      ['frozen', 'w1', 'w2', 1_550],
      ['releasing', 'w2', 'w3', 3],
      ['killed', 'w3', 'w2', 12],
    ]);
  });

  test('leave out a grant to a worker that came to a free lock', () => {
    expect(handOffs(retold(2_100, { at: 3_002 })).map(({ after }) => after)).toEqual(['frozen', 'killed']);
  });

  test('are summed up by values that were measured', () => {
    expect(spreadOf([5, 1, 4, 2, 3])).toEqual({ count: 5, median: 3, p95: 5, worst: 5 });
    expect(spreadOf([])).toBeUndefined();
  });
});
