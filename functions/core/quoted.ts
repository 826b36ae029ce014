/** Returns a value as a message repeats it: its JSON, cut to `most` characters. */
export function quoted(value: unknown, most = 60): string {
  const text = json(value);
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // V8 parses any depth, but writes only some thousand levels.
    return 'nested too deep';
  }
}
