// The text that quarantine keeps: addresses masked, cut.

// What may be part of an address: hexadecimal letters and colons (also as URLs and JSON escape them), and four numbers
// with dots. Neither pattern can fail after it has taken anything but a few letters, so each reads a text once.
const fourNumbers = /\d{1,3}(?:\.\d{1,3}){3}(?:\.\d{1,3})*/g;
const addressRun = new RegExp(`(?:${fourNumbers.source}|[0-9a-f:]|%3a|\\\\u003a)+`, 'gi');
/** As host names have it: ec2-203-0-113-25. */
const dashedAddress = /\d{1,3}(?:-\d{1,3}){3,}/g;
const mask = '[address]';

/**
 * Text with every IP address in it replaced, for what is set aside. Errs on the side of masking: whatever stands around an
 * address, and four-part versions, may go with it; times, digests, versions of three parts and ports stay.
 */
export function withoutAddresses(text: string): string {
  return text.replace(dashedAddress, mask).replace(addressRun, (run) => {
    const plain = run.replace(/%3a|\\u003a/gi, ':');
    const numbers = plain.includes('.');
    // IPv6 has eight groups, of which an IPv4 address ends two, or '::' for some of them.
    const colons = plain.split(':').length - 1;
    if (plain.includes('::') || colons >= (numbers ? 6 : 7)) return mask;
    return numbers ? run.replace(fourNumbers, mask) : run;
  });
}

/** Letters of what is set aside that are kept. */
const bodyLetters = 64 * 1024;
/** No address is longer, however it is escaped. */
const addressLetters = 128;

/** The text of what is set aside: addresses masked, cut at 64 KiB, and not within an address. */
export function setAsideText(text: string): string {
  if (text.length <= bodyLetters) return withoutAddresses(text).slice(0, bodyLetters);
  let end = bodyLetters;
  while (end > bodyLetters - addressLetters && /[\w.:%\\-]/.test(text[end - 1])) end--;
  return withoutAddresses(text.slice(0, end)).slice(0, bodyLetters);
}
