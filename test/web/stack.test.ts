import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { imagesIn, mostText, Unreadable } from '../../web/stack/images.ts';
import { referenceOf } from '../../web/stack/reference.ts';

const written = async (text: string) => (await imagesIn(text)).map(({ written }) => written);

test("a repository's name is separated from host, tag and digest in every form", () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  for (const [image, ...names] of [
    ['registry.example/team/app:1.4', 'team/app'],
    ['registry.example:5000/team/app', 'team/app'],
    [`localhost/app@${digest}`, 'app'],
    [`localhost:5000/a/b/c:1@${digest}`, 'a/b/c'],
    ['nginx', 'nginx', 'library/nginx'],
    [`nginx:1.27@${digest}`, 'nginx', 'library/nginx'],
    ['docker.io/nginx', 'nginx', 'library/nginx'],
    ['docker.io/library/nginx:1', 'library/nginx', 'nginx'],
    ['index.docker.io/team/app', 'team/app'],
    ['team/app:latest', 'team/app'],
    ['docker://quay.io/team/app', 'team/app'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as compose files write it
    ['${REGISTRY}/team/app:${TAG}', 'team/app'],
    ['$REGISTRY/team/app:$TAG', 'team/app'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as compose files write it
    ['${IMAGE}'],
    ['Team/App'],
    ['{{ .Values.image }}'],
    ['a//b'],
    [''],
  ])
    assert.deepEqual(referenceOf(image).names, names, image);
});

test('a compose file gives the images of its services, with the default values of variables', async () => {
  const text = `
x-base: &base { image: "registry.example/team/base:\${TAG:-1}" }
services:
  web: { <<: *base, build: . }
  again: *base
  db:
    image: postgres:17   # the database
  built: { build: ./app }
  cache: { image: "\${REGISTRY-docker.io}/\${CACHE:-redis}:7" }
`;
  assert.deepEqual(await written(text), ['registry.example/team/base:1', 'postgres:17', 'docker.io/redis:7']);
});

test('Kubernetes manifests with several documents give the images of every kind of container', async () => {
  const text = `
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{ name: wait, image: busybox:1 }]
      containers:
        - { name: app, image: registry.example/team/app:1, env: [{ name: image, value: no }] }
      volumes: [{ name: data, image: { reference: registry.example/team/data:1 } }]
---
# nothing
---
kind: List
items:
  - kind: CronJob
    spec: { jobTemplate: { spec: { template: { spec: { containers: [{ image: team/job }] } } } } }
---
kind: ConfigMap
data: { compose: "services:\\n  a:\\n    image: not/this" }
---
image: { registry: registry.example, repository: team/helm, tag: "1" }
sidecarImage: { repository: team/sidecar }
---
kind: Kustomization
images: [{ name: team/old, newName: team/new }, { name: team/tagged, newTag: "2" }]
`;
  assert.deepEqual(await written(text), [
    ...['busybox:1', 'registry.example/team/app:1', 'registry.example/team/data:1', 'team/job'],
    ...['registry.example/team/helm', 'team/sidecar', 'team/new', 'team/tagged'],
  ]);
});

test('a Dockerfile gives its base images, but not its own stages', async () => {
  const text = `# syntax=docker/dockerfile:1
ARG VERSION=24 BASE="registry.example/team/base"
from --platform=$BUILDPLATFORM node:\${VERSION}-slim AS build
RUN --mount=type=cache,target=/root --mount=type=bind,from=team/tools,source=/x \\
    # a comment between
    npm ci
FROM build AS test
FROM \${BASE}:1
COPY --from=build /app /app
COPY --chown=1 --from=team/assets:2 /a /a
COPY --from=0 /b /b
FROM scratch
`;
  assert.deepEqual(await written(text), [
    'node:24-slim',
    'team/tools',
    'registry.example/team/base:1',
    'team/assets:2',
  ]);
});

test('a plain list is read with any separator between its names', async () => {
  const text = '# mine\n- team/app:1\n* nginx # the proxy\n"quay.io/a/b@sha256:0f", redis:7 team/app:1\r\n\n';
  assert.deepEqual(await written(text), ['team/app:1', 'nginx', 'quay.io/a/b@sha256:0f', 'redis:7']);
});

test('a hostile or mistaken text is refused quickly, with the reason', async () => {
  const laughs = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]`);
  for (const [text, message] of [
    ['x'.repeat(mostText + 1), /has 262145 characters, more than 262144/],
    [`a0: &a0 { image: x }\n${laughs.join('\n')}`, /Excessive alias count/],
    [`a: ${'['.repeat(100_000)}`, /nested too deep|is not YAML/],
    ['a: [1, 2\nb: {', /is not YAML, a Dockerfile or a list/],
    ['image: *nothing', /is not YAML/],
    [Array.from({ length: 401 }, (_, at) => `team/app${at}`).join('\n'), /401 images, more than 400/],
  ] as const)
    await assert.rejects(
      () => imagesIn(text),
      (cause: Error) => cause instanceof Unreadable && message.test(cause.message),
      text.slice(0, 40),
    );
  assert.deepEqual(await written(''), []);
  assert.deepEqual(await written('a: &a { b: *a, image: x }').catch(() => ['x']), ['x']);
});

test('any text either gives names or an error with a reason', async () => {
  const piece = fc.constantFrom(
    'image:',
    'FROM ',
    'team/app:1',
    '- ',
    '\n',
    '  ',
    `\${A:-b}`,
    '{',
    ']',
    '&a ',
    '*a',
    '---\n',
    'é',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
      await imagesIn(pieces.join('')).catch((cause) => assert.ok(cause instanceof Unreadable, String(cause)));
    }),
    { numRuns: 300 },
  );
});
