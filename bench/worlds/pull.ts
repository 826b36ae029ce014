/** A notification of Distribution: a user pulls from an address that has a location. */
export function pull(user: string) {
  return {
    id: user,
    timestamp: new Date().toISOString(),
    action: 'pull',
    target: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${'b'.repeat(64)}`,
      repository: 'team/app',
      tag: 'latest',
    },
    request: { id: user, addr: '81.2.69.142:55555', host: 'registry.example', method: 'GET', useragent: 'docker/28' },
    actor: { name: user },
    source: { addr: 'registry:5000', instanceID: 'one' },
  };
}
