// CloudEvents over HTTP come structured (the body holds all) or binary (attributes in ce-* headers, the body is the data):
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
const attributes = ['specversion', 'id', 'source', 'type', 'time'];

/** The structured form of a binary CloudEvent; any other body as it is. Dialects, and quarantine, see one form. */
export function structured(body: unknown, header: (name: string) => string | null | undefined): unknown {
  if (!header('ce-specversion') || !header('ce-type')) return body;
  const given = attributes.map((name) => [name, header(`ce-${name}`)]).filter(([, value]) => value);
  return { ...Object.fromEntries(given), data: body };
}
