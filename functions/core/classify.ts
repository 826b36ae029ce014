// What kind of client a registry event came from: one table, first match wins, each rule with its source.
// Only what registries really report is asked: method, user agent, account, tag, media types.
import type { PullClass, RegistryEvent } from './event.ts';

export type Classified = Pick<
  RegistryEvent,
  'method' | 'repository' | 'tag' | 'mediaType' | 'referenceTypes' | 'user' | 'userType' | 'userAgent'
>;

/** Holds when every field given matches; a RegExp, or its source text (matched in any case) from a configuration. */
export interface ClassRule {
  class: PullClass;
  name: string;
  /** Where the pattern comes from. */
  source: string;
  method?: string;
  userAgent?: RegExp | string;
  /** The user agent must not match this. */
  notUserAgent?: RegExp | string;
  user?: RegExp | string;
  userType?: RegExp | string;
  repository?: RegExp | string;
  tag?: RegExp | string;
  /** The manifest's own media type or that of anything it names. */
  mediaType?: RegExp | string;
}

/** Clients whose HEAD is the first half of a pull, or the whole of an unchanged one. */
const engines = /^(docker|containerd|cri-o|libpod|podman|buildah|buildkit|skopeo|kaniko|nerdctl)\b/i;

export const classRules: ClassRule[] = [
  {
    class: 'signature',
    name: 'tag of a signature, attestation, SBOM or the referrers fall-back',
    source: 'cosign SIGNATURE_SPEC, "sha256-DIGEST.sig"; OCI distribution-spec 1.1, "Referrers Tag Schema"',
    tag: /^sha256-[0-9a-f]{64}(\.\w+)?$/,
  },
  {
    class: 'signature',
    name: 'content of a signature or attestation',
    source: 'cosign SIGNATURE_SPEC; notation signature-specification; in-toto attestation media types',
    mediaType:
      /vnd\.dev\.cosign\.|vnd\.cncf\.notary\.signature|vnd\.dsse\.envelope|vnd\.in-toto|vnd\.dev\.sigstore\.bundle/,
  },
  {
    class: 'signature',
    name: 'signing and verifying tools',
    source: 'user agents: captured cosign/v2.4.1; notation and policy controllers name themselves alike',
    userAgent: /^(cosign|notation|notation-go|policy-controller|connaisseur|ratify|kyverno|sigstore)\b/i,
  },
  {
    class: 'scanner',
    name: 'vulnerability and SBOM scanners',
    source: 'user agents of trivy, grype/syft (anchore), clair, harbor-scanner-*, and the hosted scanners',
    userAgent:
      /\b(trivy|grype|syft|stereoscope|anchore|clair|claircore|clairctl|harbor-scanner[\w-]*|snyk|twistlock|prisma|aqua(sec)?|neuvector|sysdig|dockle|docker-scout|wiz)\b/i,
  },
  {
    class: 'scanner',
    name: 'accounts of scanners',
    source: "Harbor names a scanner's account robot$REGISTRY-…: the scanner's name is in it",
    user: /\b(trivy|grype|clair|anchore|scanner)\b/i,
  },
  {
    class: 'mirror',
    name: 'replication and pull-through caches',
    source:
      'Harbor replication "harbor-registry-client"; Distribution proxy; Artifactory and Nexus remote repositories',
    userAgent:
      /^(harbor-registry-client|distribution|docker-distribution|goharbor|artifactory|nexus|zot|spegel|dragonfly|kraken|regsync|regclient)\b/i,
  },
  {
    class: 'version-check',
    name: 'update checkers',
    source: 'user agents of watchtower, renovate, dependabot, argocd-image-updater, flux, diun, keel, wud',
    userAgent:
      /\b(watchtower|renovate(bot)?|dependabot([\w-]*)|argocd-image-updater|image-reflector-controller|flux|diun|keel|wud|whats-up-docker)\b/i,
  },
  {
    class: 'version-check',
    name: 'docker manifest inspect',
    source: "captured: the command line itself asks as Docker-Client/…; its daemon's pulls begin docker/…",
    userAgent: /^docker-client\//i,
  },
  {
    class: 'version-check',
    name: 'a HEAD by anything that is no container engine',
    source: 'captured: crane digest is one HEAD; a docker or containerd HEAD opens, or is, a pull',
    method: 'HEAD',
    notUserAgent: engines,
  },
  {
    class: 'ci',
    name: 'job accounts of the registry',
    source: 'Harbor robot accounts "robot$…"; GitLab "gitlab-ci-token", user_type "build"; captured ci+robot@…',
    user: /^robot[$+_-]|(^|[^\p{L}\d])(ci|cicd|robot|bot|jenkins|buildkite|circleci|teamcity|tekton|drone|github-actions?|gitlab-runner|gitlab-ci-token)([^\p{L}\d]|$)/iu,
  },
  {
    class: 'ci',
    name: 'job tokens',
    source: 'GitLab: user_type "build" is a CI job',
    userType: /^(build|ci_job_token)$/,
  },
  {
    class: 'ci',
    name: 'builders and runners',
    source: 'user agents of BuildKit, kaniko, Buildah, ko, jib, GitHub and GitLab runners',
    userAgent:
      /^(buildkit|buildah|kaniko|ko|jib|pack|makisu|img)\b|\b(github-actions?|actions-runner|gitlab-runner|buildkit|kaniko|jenkins|buildkite|circleci)\b/i,
  },
  {
    class: 'cluster',
    name: 'runtimes under a kubelet',
    source:
      'captured containerd/1.6; cri-o/VERSION; "docker/… containerd-client" is a person\'s docker and does not begin so',
    userAgent: /^(containerd|cri-o|kubelet|kubernetes|k3s|k0s)\b/i,
  },
];

/** The class of an event: `overrides` are asked before the table, and what matches nothing is a human. */
export function classifier(overrides: ClassRule[] = []): (event: Classified) => PullClass {
  const rules = [...overrides, ...classRules].map(compile);
  return (event) => rules.find(({ holds }) => holds(event))?.class ?? 'human';
}

function compile(rule: ClassRule): { class: PullClass; holds: (event: Classified) => boolean } {
  const { method } = rule;
  const [userAgent, notUserAgent, user, userType, repository, tag, mediaType] = [
    pattern(rule, 'userAgent'),
    pattern(rule, 'notUserAgent'),
    pattern(rule, 'user'),
    pattern(rule, 'userType'),
    pattern(rule, 'repository'),
    pattern(rule, 'tag'),
    pattern(rule, 'mediaType'),
  ];
  if (!method && ![userAgent, notUserAgent, user, userType, repository, tag, mediaType].some(Boolean))
    throw new Error(`class rule ${JSON.stringify(rule.name)} matches everything: give it a field to match`);
  return {
    class: rule.class,
    holds: (event) =>
      (!method || event.method === method) &&
      (!userAgent || userAgent.test(event.userAgent)) &&
      !notUserAgent?.test(event.userAgent) &&
      (!user || user.test(event.user)) &&
      (!userType || userType.test(event.userType ?? '')) &&
      (!repository || repository.test(event.repository)) &&
      (!tag || (event.tag !== undefined && tag.test(event.tag))) &&
      (!mediaType || [event.mediaType ?? '', ...(event.referenceTypes ?? [])].some((type) => mediaType.test(type))),
  };
}

function pattern(rule: ClassRule, field: Exclude<keyof ClassRule, 'class' | 'name' | 'source' | 'method'>) {
  const value = rule[field];
  if (value === undefined) return;
  try {
    // A RegExp with a `g` or `y` flag would remember where it stopped.
    return value instanceof RegExp
      ? new RegExp(value.source, value.flags.replace(/[gy]/g, ''))
      : new RegExp(value, 'i');
  } catch (cause) {
    throw new Error(`class rule ${JSON.stringify(rule.name)}: ${field} ${JSON.stringify(value)} is no pattern`, {
      cause,
    });
  }
}

/** The client's name in a user agent, lower case: `docker`, `containerd`, `skopeo`, …; '' when it gives none. */
export function clientOf(userAgent: string): string {
  const product =
    /^[\s"']*([\p{L}\d][\p{L}\d._ -]*?)\s*(?:[/(;,"]|$|\s+v?\d)/u.exec(userAgent)?.[1].toLowerCase() ?? '';
  return (clientNames[product] ?? product).slice(0, 40);
}

/** Products that call themselves by more than one name. */
const clientNames: Partial<Record<string, string>> = {
  'docker-client': 'docker',
  'go-containerregistry': 'crane',
  libpod: 'podman',
};
