import { describe, expect, it } from 'vitest';
import { check } from './check.ts';
import { Story } from './story.ts';

const rules = (story: Story) => [...new Set(check(story.history()).violations.map(({ rule }) => rule))];
const about = { who: 'w0-1', lock: 'a', fence: '10' };
const hitHolder = { hit: [{ who: 'w0-1', phase: 'holding' as const }] };

const good = (plan = {}) =>
  new Story(plan)
    .hold('w0-1', 10, { from: 100, to: 200 })
    .hold('w1-1', 13, { from: 210, to: 300, acquiring: 50 })
    .end(1_000);
/** The first holder goes on believing for 400 ms after the second was granted. */
const overlapping = (plan = {}) =>
  new Story(plan)
    .hold('w0-1', 10, { from: 100, to: 900, ending: 'lost', writes: [150] })
    .hold('w1-1', 13, { from: 500, to: 1_000, writes: [950] });

describe('a history is rejected for its mutual exclusion', () => {
  it('when two hold and nothing has happened', () => {
    const { violations } = check(overlapping().end(2_000).history());
    expect(violations).toMatchObject([
      { rule: 'mutual-exclusion', at: 500_000, lock: 'a', what: expect.stringContaining('400.0 ms') },
    ]);
    expect(violations[0]?.around.map(({ type }) => type)).toContain('granted');
  });

  it('when the links between nodes of 4.3 were dropped', () => {
    const story = overlapping({ site: 'cluster' }).strike(1, 'node-flap', 490, 490);
    expect(rules(story.end(2_000))).toEqual(['mutual-exclusion']);
  });

  it('when the overlap is longer than a dropped link explains', () => {
    const story = new Story({ version: '4.0.5', site: 'cluster' })
      .hold('w0-1', 10, { from: 100, to: 5_000, ending: 'lost', writes: [150] })
      .hold('w1-1', 13, { from: 500, to: 4_600, writes: [] })
      .strike(1, 'node-flap', 490, 490);
    expect(rules(story.end(9_000))).toEqual(['mutual-exclusion']);
  });

  it('when the fault was over long ago', () => {
    const story = new Story({ version: '4.0.5', site: 'cluster' })
      .strike(1, 'node-flap', 100, 100)
      .hold('w0-1', 10, { from: 60_000, to: 60_400, ending: 'lost', writes: [] })
      .hold('w1-1', 13, { from: 60_300, to: 60_500, writes: [] });
    expect(rules(story.end(70_000))).toEqual(['mutual-exclusion']);
  });

  it('when the fault was on the line of somebody else', () => {
    const other = { hit: [{ who: 'w7-1', phase: 'holding' as const }] };
    const story = overlapping().strike(1, 'line-half-dead', 490, 800, other);
    expect(rules(story.end(2_000))).toEqual(['mutual-exclusion']);
  });

  it('when the fault touched another lock', () => {
    const story = overlapping().strike(1, 'queue-delete', 450, 450, { locks: ['b'] });
    expect(rules(story.end(2_000))).toEqual(['mutual-exclusion']);
  });

  it('when the line was silent: the holder must have given up before the broker did', () => {
    const story = overlapping().strike(1, 'line-silent', 110, 890, hitHolder);
    expect(rules(story.end(2_000))).toEqual(['mutual-exclusion']);
  });

  it.each(['node-restart', 'node-kill', 'channels-close', 'line-reset', 'line-half-dead'] as const)(
    'from 4.3 on with verified grants for any overlap, after %s',
    (fault) => {
      const hit = [{ who: 'w0-1', phase: 'holding' as const }];
      const race = (plan: { version: string; grant: 'verified' | 'immediate' }) =>
        new Story(plan)
          .hold('w0-1', 10, { from: 100, to: 501, ending: 'lost', writes: [] })
          .hold('w1-1', 13, { from: 500, to: 1_900, writes: [] })
          .strike(1, fault, 490, 490, { hit })
          .end(3_000);
      expect(rules(race({ version: '4.3.6', grant: 'verified' }))).toEqual(['mutual-exclusion']);
      expect(rules(race({ version: '4.3.6', grant: 'immediate' }))).toEqual([]);
      expect(rules(race({ version: '4.2.9', grant: 'verified' }))).toEqual([]);
    },
  );

  it.each([
    ['4.0.5', 'verified'],
    ['4.3.6', 'immediate'],
  ] as const)(
    'when connections were closed and the news took more than a second, on %s with %s grants',
    (version, grant) => {
      const race = (ms: number) =>
        new Story({ version, grant })
          .hold('w0-1', 10, { from: 100, to: 500 + ms, ending: 'lost', writes: [] })
          .hold('w1-1', 13, { from: 500, to: 1_900, writes: [] })
          .strike(1, 'channels-close', 490, 490)
          .end(3_000);
      expect(rules(race(1_100))).toEqual(['mutual-exclusion']);
      expect(rules(race(900))).toEqual([]);
    },
  );

  it('when a queue is mended, which ends connections, and the news took more than a second or came later', () => {
    const race = (ms: number, mendedAt: number) =>
      new Story({ version: '4.0.5' })
        .hold('w0-1', 10, { from: 100, to: 500 + ms, ending: 'lost', writes: [] })
        .hold('w1-1', 13, { from: 500, to: 1_900, writes: [] })
        .tell(mendedAt, {
          type: 'mended',
          since: mendedAt * 1_000,
          queue: 'q',
          nodes: ['rabbit@n3'],
          how: 'replaced',
        })
        .end(60_000);
    expect(rules(race(900, 490))).toEqual([]);
    expect(rules(race(1_100, 490))).toEqual(['mutual-exclusion']);
    expect(rules(race(900, 40_000))).toEqual(['mutual-exclusion']);
  });

  it('when a process that stood still makes sure that it holds, and somebody else does', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 2_950, ending: 'lost', writes: [150] })
      .change('proven', (event) => (event.at < 200_000 ? event : undefined))
      .tell(200, { type: 'frozen', who: 'w0-1' })
      .hold('w1-1', 13, { from: 2_000, to: 2_990, writes: [2_980] })
      .tell(2_900, { type: 'continued', who: 'w0-1' })
      .tell(2_901, { type: 'believed', ...about });
    expect(rules(story.end(4_000))).toEqual(['mutual-exclusion']);
  });
});

describe('a history is rejected for its fences', () => {
  it('when a later grant has a lower one', () => {
    const story = good().change('granted', (event) => event);
    const lower = new Story()
      .hold('w0-1', 10, { from: 100, to: 200, writes: [] })
      .hold('w1-1', 9, { from: 210, to: 300, writes: [] });
    expect(rules(story)).toEqual([]);
    expect(rules(lower.end(1_000))).toEqual(['fence-order']);
  });

  it('when an immediate grant has a lower one although it was only asked for afterwards', () => {
    const story = new Story({ grant: 'immediate' })
      .hold('w0-1', 10, { from: 100, to: 200, writes: [] })
      .hold('w1-1', 9, { from: 210, to: 300, acquiring: 150, writes: [] })
      .change('proven', () => undefined);
    expect(rules(story.end(1_000))).toEqual(['fence-order']);
  });

  it('when one comes twice', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 200, writes: [] })
      .hold('w1-1', 10, { from: 210, to: 300, writes: [] });
    expect(rules(story.end(1_000))).toEqual(['fence-unique']);
  });

  it('when one comes twice and another lock was purged', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 200, writes: [] })
      .hold('w1-1', 10, { from: 210, to: 300, writes: [] })
      .strike(1, 'queue-purge', 205, 205, { locks: ['b'] });
    expect(rules(story.end(1_000))).toEqual(['fence-unique']);
  });
});

describe('a history is rejected for its sets', () => {
  it('when the files lack an element and nobody overlapped', () => {
    const story = good().change('files', (event) => ({ ...event, elements: event.elements.slice(1) }));
    expect(rules(story)).toEqual(['file-set']);
  });

  it('when the files lack an element that the overlap of others does not explain', () => {
    const story = overlapping({ version: '4.0.5', site: 'cluster' })
      .strike(1, 'node-flap', 490, 490)
      .hold('w2-1', 16, { from: 2_000, to: 2_100 })
      .end(3_000)
      .change('files', (event) => ({ ...event, elements: event.elements.filter((it) => it !== 'f3') }));
    expect(rules(story)).toEqual(['file-set']);
  });

  it('when the store lacks an element that it had accepted', () => {
    const story = good().change('store', (event) => ({ ...event, elements: event.elements.slice(1) }));
    expect(rules(story)).toEqual(['store-lost']);
  });

  it('when the store has an element that it had refused', () => {
    const story = good().change('stored', (event, index) =>
      index === 0 ? { ...event, outcome: 'refused' } : event,
    );
    expect(rules(story)).toEqual(['store-lost']);
  });

  it('when the store accepted an older fence after a newer one', () => {
    const story = good().change('store', (event) => ({ ...event, audit: event.audit?.toReversed() }));
    expect(rules(story)).toEqual(['store-order']);
  });

  it('when the store accepted an element with another fence than that of its writer', () => {
    const story = good().change('store', (event) => ({
      ...event,
      audit: event.audit?.map((line, index) => (index === 0 ? { ...line, fence: '9' } : line)),
    }));
    expect(rules(story)).toEqual(['store-lost']);
  });

  it('when it does not say what the sets hold at the end', () => {
    expect(rules(good().change('files', () => undefined))).toEqual(['history']);
    expect(rules(good().change('store', () => undefined))).toEqual(['history']);
  });
});

describe('a history is rejected for its end', () => {
  it('when a lock is not granted again', () => {
    const story = good().change('calm', (event) => ({ ...event, at: 1_100_000 }));
    expect(rules(story)).toEqual(['liveness']);
  });

  it('when a lock is granted again too late', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 200 })
      .tell(300, { type: 'calm' })
      .end(60_000);
    story.change('calm', (event, index) => (index === 0 ? event : undefined));
    expect(rules(story)).toEqual(['liveness']);
  });

  it('when somebody is forgotten', () => {
    const story = good()
      .tell(400, { type: 'acquiring', who: 'w0-1', lock: 'a' })
      .tell(90_000, { type: 'refused', who: 'w0-1', lock: 'a', code: 'closed' });
    expect(rules(story)).toEqual(['waiter-forgotten']);
  });

  it('when no token is left', () => {
    expect(rules(good().change('left', (event) => ({ ...event, tokens: 0, returns: [] })))).toEqual([
      'token-lost',
    ]);
  });

  it('when two live tokens are left', () => {
    const story = good().change('left', (event) => ({ ...event, tokens: 2, returns: [7, 3] }));
    expect(rules(story)).toEqual(['token-doubled']);
  });

  it('when nobody looked what is left', () => {
    expect(rules(good().change('left', () => undefined))).toEqual(['history']);
  });

  it('when a lease never ends', () => {
    const story = new Story().hold('w0-1', 10, { from: 100, to: 200, ending: 'open', writes: [] });
    expect(rules(story.end(1_000))).toEqual(['no-end']);
  });
});

describe('a history is rejected because it cannot be right', () => {
  it('without a plan, and with two', () => {
    expect(rules(good().change('plan', () => undefined))).toEqual(['history']);
    const story = good();
    expect(rules(story.tell(2_000, { ...story.plan }))).toEqual(['history']);
  });

  it('when the faults never ended', () => {
    expect(rules(good().change('calm', () => undefined))).toEqual(['history']);
    const story = good().tell(400, { type: 'struck', id: 1, fault: 'node-cut', hit: [] });
    expect(rules(story)).toEqual(['history']);
  });

  it('when nothing is known of a fault', () => {
    expect(rules(good().strike(1, 'meteorite', 400, 400))).toEqual(['history']);
  });

  it('when a process did something while it stood still', () => {
    const story = good()
      .tell(150, { type: 'frozen', who: 'w1-1' })
      .tell(400, { type: 'continued', who: 'w1-1' });
    expect(rules(story)).toContain('history');
  });

  it('when somebody is granted what it did not ask for', () => {
    expect(rules(good().change('acquiring', (event, index) => (index === 0 ? undefined : event)))).toEqual([
      'history',
    ]);
  });

  it('when a worker raised an error that nobody caught', () => {
    expect(rules(good().tell(400, { type: 'crashed', who: 'w0-1', error: 'TypeError: x' }))).toEqual([
      'crash',
    ]);
  });

  it('when a line is no event', () => {
    const bad = [{ file: 'w0-1.jsonl', line: 3, problem: 'not JSON' }];
    expect(check({ ...good().history(), bad }).violations).toMatchObject([
      { rule: 'history', what: 'w0-1.jsonl:3: not JSON' },
    ]);
  });
});
