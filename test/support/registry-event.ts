let made = 0;

/** An event of a pull, as a Distribution registry reports it; each has an id of its own. */
export function pullOf(user: string, repository: string, time = Date.now()) {
  const n = made++;
  return {
    id: `event-${process.pid}-${n}`,
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
  };
}
