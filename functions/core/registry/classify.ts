// What kind of client a registry event came from: one table, first match wins, each rule with its source.
// Only what registries really report is asked: method, user agent, account, tag, media types.
import type { PullClass, RegistryEvent } from '../event.ts';

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
const engines = /^(docker|containerd|containers|cri-o|libpod|podman|buildah|buildkit|skopeo|kaniko|nerdctl|bootc)\b/i;

// Where no request was captured and no source text was found, the source says "product name": tools built on Go's
// registry libraries name themselves PRODUCT/VERSION. Overrides mend what is missed.
export const classRules: ClassRule[] = [
  {
    class: 'signature',
    name: 'tag of a signature, attestation, SBOM or the referrers fall-back',
    source: 'captured (label "referrers"); cosign SIGNATURE_SPEC; OCI distribution-spec 1.1, "Referrers Tag Schema"',
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
    source: 'captured "cosign/v2.4.1 (linux; amd64)"; the others by product name',
    userAgent: /^(cosign|notation|notation-go|policy-controller|connaisseur|ratify|kyverno|sigstore)\b/i,
  },
  {
    class: 'scanner',
    name: 'trivy',
    source: 'aquasecurity/trivy#6868: "trivy/VERSION go-containerregistry/VERSION"; older ones give the library only',
    userAgent: /\btrivy\b/i,
  },
  {
    class: 'scanner',
    name: 'vulnerability and SBOM scanners',
    source: 'product name; Harbor adapters are called harbor-scanner-NAME',
    userAgent:
      /\b(grype|syft|stereoscope|anchore|clair|claircore|clairctl|harbor-scanner[\w-]*|snyk|twistlock|prisma|aqua(sec)?|neuvector|sysdig|dockle|docker-scout|wiz)\b/i,
  },
  {
    class: 'scanner',
    name: 'accounts of scanners',
    source: 'Harbor makes a robot account for each scanner and names it after it',
    user: /\b(trivy|grype|clair|anchore|scanner)\b/i,
  },
  {
    class: 'mirror',
    name: 'Harbor replication',
    source: 'goharbor/harbor: "harbor-registry-client" and UserAgentReplication, "harbor-replication-service"',
    userAgent: /^harbor-(registry-client|replication-service)\b/i,
  },
  {
    class: 'mirror',
    name: 'pull-through caches and mirrors',
    source: 'product name',
    userAgent: /^(distribution|docker-distribution|artifactory|nexus|zot|spegel|dragonfly|kraken|regsync|oc-mirror)\b/i,
  },
  {
    class: 'version-check',
    name: 'update checkers',
    source: 'containrrr/watchtower: "Watchtower (Docker)"; the others by product name',
    userAgent:
      /\b(watchtower|renovate(bot)?|dependabot([\w-]*)|argocd-image-updater|image-reflector-controller|flux|diun|keel|wud|whats-up-docker|k8s-image-availability-exporter)\b/i,
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
    source: 'captured ci+robot@example; Harbor robot accounts "robot$…"; GitLab "gitlab-ci-token"; GitHub "NAME[bot]"',
    user: /^robot[$+_-]|(^|[^\p{L}\d])(ci|cicd|robot|bot|jenkins|buildkite|circleci|teamcity|tekton|drone|github-actions?|gitlab-runner|gitlab-ci-token)([^\p{L}\d]|$)/iu,
  },
  {
    class: 'ci',
    name: 'job tokens',
    source: 'gitlab-org/container-registry!1203: actor.user_type; a CI job authenticates as "build"',
    userType: /^(build|ci_job_token)$/,
  },
  {
    class: 'ci',
    name: 'builders',
    source:
      'moby/buildkit#2593: "buildkit/VERSION"; GoogleContainerTools/kaniko#262: "kaniko/VERSION"; werf/werf#6264: "werf/VERSION"; the others by product name',
    userAgent: /^(buildkit|buildah|kaniko|werf|ko|jib|pack|makisu|img)\b/i,
  },
  {
    class: 'ci',
    name: 'runners',
    source: 'product name, alone or added to that of the client they start',
    userAgent: /\b(github-actions?|actions-runner|gitlab-runner|jenkins|buildkite|circleci)\b/i,
  },
  {
    class: 'cluster',
    name: 'runtimes under a kubelet',
    source:
      'captured "containerd/1.6.20~ds1"; cri-o/cri-o#1555: "cri-o/VERSION go/…"; a docker that stores with containerd begins docker/ (moby/moby#45670)',
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
  const [, words = ''] = /^[\s"']*([\p{L}\d][\p{L}\d._ -]*)/u.exec(userAgent) ?? [];
  const rest = userAgent.slice(userAgent.indexOf(words) + words.length);
  // A version ends the name, as do these marks; by any other letter it is none.
  const version = words.search(/ v?\d/);
  if (version < 0 && !/^\s*(?:[/(;,"]|$)|^\s+v?\d/.test(rest)) return '';
  const product = (version < 0 ? words : words.slice(0, version)).trimEnd().toLowerCase();
  return (clientNames[product] ?? product).slice(0, 40);
}

/** Products that call themselves by more than one name. */
const clientNames: Partial<Record<string, string>> = {
  'docker-client': 'docker',
  'go-containerregistry': 'crane',
  libpod: 'podman',
};
