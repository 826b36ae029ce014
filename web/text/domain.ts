// Domains are counted in ASCII (functions/core/hits/domain.ts) and shown in Unicode where that cannot deceive.
import punycode from 'punycode/punycode.js';

/** Scripts that one label may be written in, alone or together (UTS 39, "highly restrictive"). */
const scripts = [
  'Latin',
  ...['Cyrillic', 'Greek', 'Armenian', 'Georgian', 'Hebrew', 'Arabic', 'Thaana', 'Ethiopic', 'Devanagari', 'Bengali'],
  ...['Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Thai', 'Lao', 'Tibetan'],
  ...['Myanmar', 'Khmer'],
].map((script) => [script]);
const together = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
];
const allowed = [...scripts, ...together].map(
  (set) =>
    new RegExp(
      `^(?:[${set.map((script) => `\\p{Script=${script}}`).join('')}\\p{M}0-9_\\u30fc-]|(?<=\\p{L})\\p{M})+$`,
      'u',
    ),
);

/** Cyrillic and Greek letters that look like Latin ones: a label of these alone passes for another name. */
const lookalikes = /^[асԁеһіјӏорԛѕԝхуъьүҽпгѵѡαιικνορτυχωηγ0-9-]+$/u;

const isSafe = (label: string): boolean =>
  !/\p{Default_Ignorable_Code_Point}/u.test(label) && allowed.some((set) => set.test(label)) && !lookalikes.test(label);

function shownLabel(label: string): string {
  if (!label.startsWith('xn--')) return label;
  try {
    const text = punycode.decode(label.slice(4));
    return isSafe(text) ? text : label;
  } catch {
    return label;
  }
}

/** A canonical domain as a reader knows it; a label stays `xn--…` when it mixes scripts or could pass for another. */
export const shownDomain = (domain = ''): string => domain.split('.').map(shownLabel).join('.');
