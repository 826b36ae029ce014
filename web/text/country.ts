const names = new Intl.DisplayNames('en', { type: 'region' });

/** The English name of a two-letter code; any other text is returned unchanged. */
export function countryName(code: string): string {
  return /^[A-Z]{2}$/i.test(code) ? (names.of(code.toUpperCase()) ?? code) : code;
}
