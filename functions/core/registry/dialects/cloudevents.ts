// CloudEvents over HTTP are structured (the body has everything) or binary (attributes in ce-* headers, the body is the
// data): https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
const attributes = ['specversion', 'id', 'source', 'type', 'time'];

/**
 * Converts a binary CloudEvent to the structured form, which is the only one that dialects and quarantine see; returns
 * any other body unchanged.
 */
export function structured(body: unknown, header: (name: string) => string | null | undefined): unknown {
  if (!header('ce-specversion') || !header('ce-type')) return body;
  const given = attributes.map((name) => [name, header(`ce-${name}`)]).filter(([, value]) => value);
  return { ...Object.fromEntries(given), data: body };
}
