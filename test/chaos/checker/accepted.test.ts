import { describe, expect, it } from 'vitest';
import { check } from './check.ts';
import { Story } from './story.ts';

const violations = (story: Story) =>
  check(story.history()).violations.map(({ rule, what }) => `${rule}: ${what}`);
const overlapsOf = (story: Story) => violations(story).filter((each) => each.startsWith('mutual-exclusion'));
const twoHolds = (plan = {}) =>
  new Story(plan)
    .hold('w0-1', 10, { from: 100, to: 200 })
    .hold('w1-1', 13, { from: 210, to: 300, acquiring: 50 });

describe('a history is accepted', () => {
  it('in which holds follow each other', () => {
    expect(violations(twoHolds().end(1_000))).toEqual([]);
  });

  it('in which holds of different locks overlap', () => {
    const story = new Story({ locks: ['a', 'b'] })
      .hold('w0-1', 10, { from: 100, to: 200 })
      .hold('w0-1', 10, { from: 120, to: 220 }, 'b');
    expect(violations(story.end(1_000))).toEqual([]);
  });

  it('in which a holder is killed and the next one follows', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 200, ending: 'killed' })
      .hold('w1-1', 13, { from: 215, to: 300 });
    expect(violations(story.end(1_000))).toEqual([]);
  });

  it('in which the killed one had written a line after its parent looked at the clock', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 200, ending: 'killed', writes: [200.1] })
      .hold('w1-1', 13, { from: 215, to: 300 });
    expect(violations(story.end(1_000))).toEqual([]);
  });

  it('in which a holder stands still, somebody else is granted, and it learns of that on waking', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 7_001, ending: 'lost', writes: [150] })
      .change('proven', (event) => (event.at < 200_000 ? event : undefined))
      .tell(200, { type: 'frozen', who: 'w0-1' })
      .hold('w1-1', 13, { from: 5_000, to: 5_100 })
      .tell(7_000, { type: 'continued', who: 'w0-1' });
    expect(violations(story.end(8_000))).toEqual([]);
  });

  it('in which a process learns only from its release that its lease ran out while it stood still', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 7_001, writes: [150] })
      .change('proven', (event) => (event.at < 200_000 ? event : undefined))
      .tell(200, { type: 'frozen', who: 'w0-1' })
      .tell(7_000, { type: 'continued', who: 'w0-1' })
      .tell(7_001, { type: 'lost', who: 'w0-1', lock: 'a', fence: '10', reason: 'verification-timeout' });
    expect(violations(story.end(8_000))).toEqual([]);
  });

  it('in which a write that began before a standstill ends after it and undoes another', () => {
    const about = { who: 'w0-1', lock: 'a', fence: '10' };
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 7_005, ending: 'lost', writes: [150] })
      .change('proven', (event) => (event.at < 200_000 ? event : undefined))
      .tell(198, { type: 'believed', ...about })
      .tell(199.9, { type: 'believed', ...about })
      .tell(200, { type: 'frozen', who: 'w0-1' })
      .hold('w1-1', 13, { from: 5_000, to: 5_100 })
      .tell(7_000, { type: 'continued', who: 'w0-1' })
      .tell(7_001, { type: 'filed', ...about, element: 'late' })
      .end(8_000)
      .change('files', (event) => ({ ...event, elements: event.elements.filter((it) => it !== 'f2') }));
    const { findings } = check(story.history());
    expect(violations(story)).toEqual([]);
    expect(findings?.missing).toMatchObject([{ element: 'f2', by: 'late-write' }]);
  });

  it('in which the store refuses a late write, and one of unknown fate is or is not there', () => {
    const late = { who: 'w0-1', lock: 'a', fence: '10', type: 'stored' } as const;
    const story = twoHolds()
      .tell(305, { ...late, element: 'late', outcome: 'refused' })
      .tell(306, { ...late, element: 'unknown', outcome: 'failed' });
    expect(violations(story.end(1_000))).toEqual([]);
  });

  it('in which a second seed lies behind the token that was never delivered', () => {
    const story = twoHolds().end(1_000);
    story.change('left', (event) => ({ ...event, tokens: 3, returns: [7, 0, 0] }));
    expect(violations(story)).toEqual([]);
    expect(check(story.history()).findings?.left.withInertSeeds).toEqual(['a']);
  });

  it('in which the answer to a question says that the holder was superseded', () => {
    const story = new Story({ grant: 'immediate', version: '4.0.5', site: 'cluster' })
      .strike(1, 'node-flap', 100, 100)
      .hold('w1-1', 13, { from: 190, to: 205, acquiring: 50 })
      .hold('w0-1', 10, { from: 210, to: 213, acquiring: 50, ending: 'lost', writes: [] })
      .change('lost', (event) => ({ ...event, reason: 'superseded' }));
    expect(violations(story.end(1_000))).toEqual([]);
  });

  it('in which an immediate grant of an older delivery is told after a newer one', () => {
    const story = new Story({ grant: 'immediate' })
      .hold('w0-1', 10, { from: 210, to: 300, acquiring: 50, ending: 'lost', writes: [] })
      .hold('w1-1', 13, { from: 190, to: 205, acquiring: 50 })
      .change('proven', () => undefined);
    expect(violations(story.end(1_000))).toEqual([]);
  });
});

describe('an overlap is accepted', () => {
  const stale = (plan = {}) =>
    new Story({ version: '4.0.5', grant: 'verified', site: 'cluster', ...plan })
      .hold('w0-1', 10, { from: 100, to: 3_000, ending: 'lost', writes: [150] })
      .hold('w1-1', 13, { from: 500, to: 900 });

  it('below 4.3 after a dropped link between nodes', () => {
    const story = stale().strike(1, 'node-flap', 480, 480);
    const { findings } = check(story.end(9_000).history());
    expect(violations(story)).toEqual([]);
    expect(findings?.overlaps).toMatchObject([
      { from: 500_000, to: 900_000, allowedBy: { fault: 'node-flap' } },
    ]);
  });

  it.each([
    ['4.0.5', 'verified'],
    ['4.3.6', 'immediate'],
  ] as const)(
    'on %s with %s grants when the client takes a connection for alive that the broker saw die',
    (version, grant) => {
      const hit = [{ who: 'w0-1', phase: 'holding' as const }];
      const story = stale({ version, grant, site: 'single' }).strike(1, 'line-half-dead', 480, 2_000, {
        hit,
      });
      expect(violations(story.end(9_000))).toEqual([]);
    },
  );

  it.each([
    ['4.3.6', 'verified', true],
    ['4.3.6', 'immediate', false],
    ['4.0.5', 'verified', false],
  ] as const)(
    'on %s with %s grants when its token was purged after the broker had taken it back, and a newcomer took the next: %s',
    (version, grant, isAllowed) => {
      const story = stale({ version, grant, site: 'single' }).strike(1, 'queue-purge', 480, 480, {
        locks: ['a'],
      });
      expect(overlapsOf(story.end(9_000))).toHaveLength(isAllowed ? 0 : 1);
    },
  );

  const deleted = (plan = {}) =>
    new Story(plan)
      .hold('w0-1', 10, { from: 100, to: 300, ending: 'lost', writes: [] })
      .hold('w1-1', 13, { from: 280, to: 400 })
      .strike(1, 'queue-delete', 250, 250, { locks: ['a'] });

  it('for a moment when the queue is deleted', () => {
    expect(violations(deleted({ grant: 'immediate' }).end(9_000))).toEqual([]);
  });

  it.each(['queue-delete', 'queue-purge'])(
    'after %s with verified grants on 4.3 only if a process had the lock that did not know it',
    (fault) => {
      const story = () =>
        new Story()
          .hold('w1-1', 8, { from: 20, to: 40 })
          .hold('w0-1', 10, { from: 100, to: 300, ending: 'lost', writes: [] })
          .hold('w1-1', 23, { from: 280, to: 400 })
          .strike(1, fault, 250, 250, { locks: ['a'] });
      expect(overlapsOf(story().end(9_000))).toHaveLength(1);
      const newcomer = story().hold('w2-1', 22, { from: 270, to: 275, acquiring: 240 });
      expect(overlapsOf(newcomer.end(9_000))).toHaveLength(0);
    },
  );

  it('and explains an element that is missing from the files', () => {
    const story = stale()
      .strike(1, 'node-flap', 480, 480)
      .write('w0-1', 10, 700)
      .end(9_000)
      .change('files', (event) => ({ ...event, elements: event.elements.filter((it) => it !== 'f3') }))
      .change('stored', (event) => (event.element === 's3' ? { ...event, outcome: 'refused' } : event))
      .change('store', (event) => ({
        ...event,
        elements: event.elements.filter((it) => it !== 's3'),
        audit: (event.audit ?? []).filter(({ element }) => element !== 's3'),
      }));
    expect(violations(story)).toEqual([]);
    expect(check(story.history()).findings?.missing).toMatchObject([{ element: 'f3', by: 'overlap' }]);
  });

  it('and a fence that comes again after a purge that laid an older seed bare', () => {
    const story = twoHolds().strike(1, 'queue-purge', 305, 305, { locks: ['a'] });
    story.hold('w2-1', 5, { from: 400, to: 450, writes: [] });
    expect(violations(story.end(9_000))).toEqual([]);
  });
});
