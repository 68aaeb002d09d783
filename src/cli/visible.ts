/**
 * What a terminal acts on instead of showing it, or what turns the order of what is shown: C0, DEL, C1, format characters
 * (the bidi controls among them; not the two joiners, which scripts and emoji need), line and paragraph separators, and
 * halves of characters.
 */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The text with all that is not shown made visible: ESC is `\x1b`, a right-to-left override `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return hex.length <= 2 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
}

/** The same for one line of JSON, which stays the same value: `JSON.stringify` itself leaves DEL, C1 and bidi as they are. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, unit) => {
      const hex = character.charCodeAt(unit).toString(16);
      return `\\u${hex.padStart(4, '0')}`;
    }).join(''),
  );
}

const CHARACTERS = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** East Asian scripts with their punctuation and full-width forms, and emoji. JavaScript does not know East_Asian_Width. */
const WIDE =
  /^(?![\uff61-\uffdc])[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Bopo}\p{sc=Yiii}\p{sc=Tang}\p{sc=Nshu}\p{Emoji_Presentation}\u3000-\u303e\u30fb\u30fc\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** How many columns of a terminal a {@link visible} text takes: two for CJK and emoji, none for what only combines. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of CHARACTERS.segment(text)) {
    width += NO_WIDTH.test(segment) ? 0 : WIDE.test(segment) ? 2 : 1;
  }
  return width;
}
