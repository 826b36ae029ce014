// The text of a quarantine entry (addresses masked, length limited), and whether it names a user.
import { withoutAddresses } from '../addresses.ts';
import type { Quarantined } from '../event.ts';

/** The most characters of a quarantined text that are kept. */
const mostCharacters = 64 * 1024;
/** The most characters of an escaped address. */
const addressCharacters = 1024;

/** Returns the text to quarantine: addresses masked, cut at 64 KiB, but not within an address. */
export function quarantinedText(text: string): string {
  const most = mostCharacters + addressCharacters;
  const masked = withoutAddresses(text.slice(0, most));
  // What ends here may be the beginning of an address.
  const end = text.length <= most ? masked.length : masked.length - addressCharacters;
  return masked.slice(0, Math.min(mostCharacters, end));
}

/**
 * Returns whether a quarantined entry names a user: as a whole word in its body or in a quoted part of its reason, so
 * that forgetting "an" leaves "anna" alone. JSON and URL escapes are decoded too. If the body was cut within the name,
 * three characters are enough to match.
 */
export function namesPerson({ body, reason }: Pick<Quarantined, 'body' | 'reason'>, user: string): boolean {
  const alone = (name: string) => new RegExp(`(?<![\\p{L}\\p{M}\\p{N}_])${name}(?![\\p{L}\\p{M}\\p{N}_])`, 'u');
  const literal = (text: string) => text.replace(/[\\^$.|?+*()[\]{}/]/g, '\\$&');
  const masked = withoutAddresses(user);
  const names = masked === '[address]' ? [user] : [user, masked];
  const whole = alone(`(?:${names.map(literal).join('|')})`);
  const quoted = reason.match(/"(?:[^"\\]|\\.)*"/g)?.join(' ') ?? '';
  const letters = [...user];
  const cut = (text: string) =>
    letters.some((_, count) => {
      const start = letters.slice(0, count).join('');
      return count >= 3 && text.endsWith(start) && !/[\p{L}\p{M}\p{N}_]$/u.test(text.slice(0, -start.length));
    });
  return [...readings(body), ...readings(quoted)].some((text) => whole.test(text)) || readings(body).some(cut);
}

/**
 * Returns the text unchanged, with JSON escapes decoded once and twice (JSON within JSON), and with URL escapes
 * decoded.
 */
function readings(text: string): string[] {
  const once = unescaped(text.replace(/\\(u[0-9a-f]{0,3})?$/i, ''));
  const url = text.replaceAll('+', ' ').replace(/(%[0-9a-f]{2})+/gi, (run) => {
    const bytes = run
      .slice(1)
      .split('%')
      .map((hex) => Number.parseInt(hex, 16));
    return new TextDecoder().decode(Uint8Array.from(bytes));
  });
  return [...new Set([text, once, unescaped(once), url])];
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-f]{4})|(.))/gis, (_, code: string | undefined, letter: string) =>
    code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[letter] ?? letter),
  );
