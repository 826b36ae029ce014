let made = 0;

/**
 * An event, as a Distribution registry reports it, that is a pull by itself: events with different `n` never merge, and
 * with the same `n` they are one event. `more` replaces fields.
 */
export function pullOf(
  user: string,
  repository: string,
  { n = made++, time = Date.now(), ...more }: { n?: number; time?: number; [field: string]: unknown } = {},
) {
  return {
    id: `event-${n}`,
    timestamp: new Date(time).toISOString(),
    action: 'pull',
    target: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${String(n).padStart(64, '0')}`,
      repository,
      tag: `v${n}`,
    },
    request: {
      id: `r${n}`,
      addr: '81.2.69.142:4000',
      host: 'registry.example',
      method: 'GET',
      useragent: 'docker/27.3.1',
    },
    actor: { name: user },
    source: { addr: 'registry:5000', instanceID: 'one' },
    ...more,
  };
}
