import { describe, expect, it } from 'vitest';
import { check } from './check.ts';
import { Story } from './story.ts';

const rules = (story: Story) => [...new Set(check(story.history()).violations.map(({ rule }) => rule))];
const about = { who: 'w0-1', lock: 'a', fence: '10' };

describe('a history is rejected for its losses', () => {
  const without = (story: Story, afterMs: number) =>
    story.change('proven', (event) => (event.at < afterMs * 1_000 ? event : undefined));

  it('when a holder without proof is told too late', () => {
    const story = new Story().hold('w0-1', 10, { from: 100, to: 4_000, ending: 'lost', writes: [150] });
    expect(rules(without(story, 200).end(9_000))).toEqual(['late-signal']);
  });

  it('when a process that ran again is told too late', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 7_800, ending: 'lost', writes: [150] })
      .tell(200, { type: 'frozen', who: 'w0-1' })
      .tell(7_000, { type: 'continued', who: 'w0-1' });
    expect(rules(without(story, 200).end(9_000))).toEqual(['late-signal']);
  });

  it('when a holder makes sure with a proof that has run out', () => {
    const story = new Story().hold('w0-1', 10, { from: 100, to: 3_300, writes: [150] });
    story.tell(3_200, { type: 'believed', ...about });
    expect(rules(without(story, 200).end(9_000))).toEqual(['belief-without-proof']);
  });

  it('when a holder believes although it has been told', () => {
    const story = new Story()
      .hold('w0-1', 10, { from: 100, to: 200, ending: 'lost', writes: [150] })
      .tell(201, { type: 'believed', ...about });
    expect(rules(story.end(1_000))).toEqual(['history']);
  });
});
