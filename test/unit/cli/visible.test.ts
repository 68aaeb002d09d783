import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { table } from '../../../src/cli/table.ts';
import { displayWidth, visible, visibleJson } from '../../../src/cli/visible.ts';

const ANY = fc.string({ unit: 'binary', maxLength: 40 });
const HALVES = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 });
const TEXTS = fc.oneof(
  ANY,
  HALVES.map((units) => String.fromCharCode(...units)),
);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const HARMFUL = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/;

test.each([
  ['\x1b[2Jgone', '\\x1b[2Jgone'],
  ['a\nfree', 'a\\x0afree'],
  ['\x9b1m', '\\x9b1m'],
  ['a\x7f', 'a\\x7f'],
  ['\u202eabc\u2066', '\\u{202e}abc\\u{2066}'],
  ['\u2028\u200f', '\\u{2028}\\u{200f}'],
  ['half \ud83d', 'half \\u{d83d}'],
  ['naïve 錠 👩‍👧', 'naïve 錠 👩‍👧'],
])('%j is shown as %s', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test('no text, whatever is in it, makes a terminal do anything, or a JSON line another value', () => {
  fc.assert(
    fc.property(TEXTS, (text) => {
      expect(visible(text)).not.toMatch(HARMFUL);
      expect(visible(text).isWellFormed()).toBe(true);
      const json = visibleJson(JSON.stringify({ text }));
      expect(json).not.toMatch(HARMFUL);
      expect(JSON.parse(json)).toEqual({ text });
    }),
    { numRuns: 2_000 },
  );
});

describe('the columns of a table', () => {
  test.each([
    ['lock', 4],
    ['錠前', 4],
    ['ﾛｯｸ', 3],
    ['é', 1],
    ['👩‍👧', 2],
    ['🇩🇪', 2],
    ['❤️', 2],
    ['한글', 4],
    ['（）', 4],
    ['a‍b', 2],
  ])('%s takes %i', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test('stand under each other, whatever is in the cells', () => {
    expect(
      table(
        ['LOCK', 'STATE'],
        [
          ['錠前', 'held'],
          ['a\nb', 'free'],
          ['👩‍👧x', 'held'],
        ],
      ),
    ).toEqual(['LOCK    STATE', '錠前    held', 'a\\x0ab  free', '👩‍👧x     held']);
  });
});
