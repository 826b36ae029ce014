// Classifies the client of a registry event by one table of rules, each with its source: the first match wins. Rules
// look only at what registries report: method, user agent, account, tag, media types.
import type { PullClass, RegistryEvent } from '../event.ts';

export type Classified = Pick<
  RegistryEvent,
  'method' | 'repository' | 'tag' | 'mediaType' | 'referenceTypes' | 'user' | 'userType' | 'userAgent'
>;

/** Matches if every given field matches. A pattern is a RegExp or, from the settings, its text (ignoring case). */
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
  /** The media type of the manifest or of anything it references. */
  mediaType?: RegExp | string;
}

/** A rule in the owner's settings; it needs no source. */
export type OwnClassRule = Omit<ClassRule, 'source'> & Partial<Pick<ClassRule, 'source'>>;

/** Clients that keep what they pull, to run it or build on it. */
export const keepsImages =
  /^(docker|containerd|containers|cri-o|libpod|podman|buildah|buildkit|kaniko|nerdctl|bootc)\b/i;
/** Clients whose HEAD is the first half of a pull, or the whole pull if the image has not changed. */
const engines = new RegExp(`${keepsImages.source}|^skopeo\\b`, 'i');

// A person's name may contain any word, so an account counts as a machine's only in a form that its registry documents
// for machines. Whatever matches no rule is a person; `knownAgent` says which clients the table knows, so that an owner
// can add rules.
export const classRules: ClassRule[] = [
  {
    class: 'signature',
    name: 'tag of a signature, attestation, SBOM or the referrers fallback',
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
    source:
      'captured "cosign/v2.4.1 (linux; amd64)"; notaryproject/notation cmd/notation/registry.go: "notation/" + version; kyverno/kyverno pkg/registryclient: "Kyverno/%s (%s; %s)"; sigstore/policy-controller is built on cosign\'s client',
    userAgent: /^(cosign|notation|notation-go|policy-controller|connaisseur|ratify|kyverno|sigstore)\b/i,
  },
  {
    class: 'scanner',
    name: 'trivy',
    source:
      'aquasecurity/trivy pkg/x/http/transport.go: "trivy/%s"; trivy#6868: "trivy/VERSION go-containerregistry/VERSION"',
    userAgent: /\btrivy\b/i,
  },
  {
    class: 'scanner',
    name: 'vulnerability and SBOM scanners',
    source:
      'anchore/stereoscope, which Syft and Grype pull with, takes the application\'s name; quay/claircore libindex "claircore"; goharbor/pluggable-scanner-spec: adapters are called harbor-scanner-NAME; the rest: the name their documentation tells firewalls to admit',
    userAgent:
      /^(grype|syft|stereoscope|anchore|clair|claircore|clairctl|harbor-scanner[\w-]*|snyk[\w-]*|twistlock|prisma|aqua(sec)?|neuvector|sysdig[\w-]*|dockle|docker-scout|wiz[\w-]*)(?=[/ (]|$)/i,
  },
  {
    class: 'scanner',
    name: 'accounts that Harbor makes for scanners',
    source:
      'goharbor/harbor src/controller/scan/base_controller.go, makeRobotAccount: a robot named after the scanner and a UUID',
    user: /^robot\$([^+]+\+)?(trivy|clair|grype|anchore|aqua|sysdig|[\w-]+-scanner)\b/i,
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
    source:
      'Artifactory: "Artifactory/7.25.6 72506900"; Nexus: "Nexus/3.60.0-01 (PRO; …)", its own test data; spegel-org/spegel pkg/registry: "spegel"; regclient cmd/regsync and cmd/regbot: "regclient/regsync (VERSION)"; dragonflyoss/Dragonfly2 and uber/kraken: the name of their daemon; project-zot/zot pkg/extensions/sync; openshift/oc-mirror: "oc-mirror"',
    userAgent:
      /^(artifactory|nexus|zot|zotregistry|spegel|dragonfly[\w-]*|dfdaemon|kraken[\w-]*|oc-mirror|regclient\/(regsync|regbot)|regsync|regbot|distribution|docker-distribution)(?=[/ (.]|$)/i,
  },
  {
    class: 'mirror',
    name: 'a bare Go client, as the pull-through cache of Distribution is',
    source:
      'captured (test/real-clients, "cache: …"): distribution/distribution registry/proxy sets no user agent, so Go sends its own, net/http defaultUserAgent',
    userAgent: /^go-http-client\/\d/i,
  },
  {
    class: 'mirror',
    name: "the registry's own accounts",
    source:
      'goharbor/harbor src/common/const.go and make/photon: harbor-core, harbor-jobservice, harbor_registry_user; a delete by retention is by harbor-jobservice (goharbor/harbor#18820); Nexus audit log: *SYSTEM, *TASK; Artifactory access log: _internal, _system_',
    user: /^(harbor-(core|jobservice|registry|registryctl|exporter)|harbor_registry_user|\*(SYSTEM|TASK)|_internal|_system_)$/,
  },
  {
    class: 'version-check',
    name: 'update checkers',
    source:
      'containrrr/watchtower: "Watchtower (Docker)"; renovatebot/renovate: "RenovateBot/VERSION (…)"; dependabot-core USER_AGENT: "dependabot-core/VERSION …"; crazy-max/diun: "diun/%s go/%s %s"; argoproj-labs/argocd-image-updater, keel-hq/keel, getwud/wud and k8s-image-availability-exporter: the name of the binary',
    userAgent:
      /^(watchtower|renovate(bot)?|dependabot([\w-]*)|argocd-image-updater|image-reflector-controller|diun|keel|wud|whats-up-docker|k8s-image-availability-exporter)(?=[/ (]|$)/i,
  },
  {
    class: 'version-check',
    name: 'docker manifest inspect',
    source: "captured: the command line itself asks as Docker-Client/…; its daemon's pulls begin docker/…",
    userAgent: /^docker-client\//i,
  },
  {
    class: 'version-check',
    name: 'a HEAD by a client that is not a container engine',
    source: 'captured: crane digest is one HEAD; a docker or containerd HEAD opens, or is, a pull',
    method: 'HEAD',
    notUserAgent: engines,
  },
  {
    class: 'cluster',
    name: 'accounts of Kubernetes',
    source:
      'kubernetes.io "Service accounts": system:serviceaccount:NAMESPACE:NAME; "Using Node Authorization": system:node:NAME',
    user: /^system:(serviceaccount:[^:]+:[^:]+|node:.+)$/,
  },
  {
    class: 'ci',
    name: 'robot accounts of Harbor',
    source: 'goharbor.io "Create Project Robot Accounts": robot$PROJECT+NAME, robot$NAME for those of the system',
    user: /^robot\$./,
  },
  {
    class: 'ci',
    name: 'robot accounts of Quay',
    source:
      'docs.redhat.com "Creating a robot account": NAMESPACE+NAME; captured "ci+robot@example" (a person\'s address has a domain with a dot)',
    user: /^[a-z0-9][a-z0-9._-]*\+[a-z][a-z0-9_.-]*(@[\w-]+)?$/,
  },
  {
    class: 'ci',
    name: 'service accounts of registry.redhat.io',
    source: 'access.redhat.com "Red Hat Container Registry Authentication": NUMBER|NAME',
    user: /^\d+\|[\w-]+$/,
  },
  {
    class: 'ci',
    name: 'tokens, bots and service accounts of GitLab',
    source:
      'docs.gitlab.com: "Deploy tokens" gitlab+deploy-token-N; "CI/CD job token" gitlab-ci-token; "Project access tokens" project_N_bot_RANDOM, "Group access tokens" group_N_bot_RANDOM, before 16 project_N_botM; "Group service accounts API" service_account_group_N_RANDOM, service_account_RANDOM',
    user: /^(gitlab\+deploy-token-\d+|gitlab-ci-token|(project|group)_\d+_bot(\d*|_\w+)|service_account_(group_\d+_)?[0-9a-f]{8,})$/,
  },
  {
    class: 'ci',
    name: 'job tokens',
    source:
      'gitlab-org/container-registry!1203: actor.user_type; a CI job authenticates as "build", a deploy token as "deploy_token" (gitlab-org/gitlab lib/gitlab/auth.rb)',
    userType: /^(build|ci_job_token|deploy_token|lfs_deploy_token)$/,
  },
  {
    class: 'ci',
    name: 'apps of GitHub, jobs of Gitea and Forgejo',
    source:
      'docs.github.com "Automatically generating release notes" and others: NAME[bot]; go-gitea/gitea models/user/user_system.go: "gitea-actions"; Forgejo: "forgejo-actions"',
    user: /^([\w.-]+\[bot\]|(gitea|forgejo)-actions)$/i,
  },
  {
    class: 'ci',
    name: 'service accounts of Keycloak',
    source: 'keycloak ServiceAccountConstants.SERVICE_ACCOUNT_USER_PREFIX: service-account-CLIENT',
    user: /^service-account-[\w.-]+$/,
  },
  {
    class: 'ci',
    name: 'role sessions of AWS',
    source:
      'docs.aws.amazon.com IAM "CloudTrail userIdentity element": arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, and SERVICE.amazonaws.com for calls by a service; but people sign in through roles called AWSReservedSSO_… (IAM Identity Center), and a session named by an address is a federated person (IAM "RoleSessionName")',
    user: /(^|:)assumed-role\/(?!AWSReservedSSO_)[^/]+\/(?![^@]+@[^@]+\.[^@]+$).+$|^[a-z-]+\.amazonaws\.com$/,
  },
  {
    class: 'ci',
    name: 'service accounts of Google Cloud',
    source:
      'cloud.google.com IAM "Service accounts": NAME@PROJECT.iam.gserviceaccount.com and the defaults; "Set up authentication for Docker": _json_key, _json_key_base64',
    user: /^([^@\s]+@([\w-]+\.)*gserviceaccount\.com|serviceAccount:.+|_json_key(_base64)?)$/,
  },
  {
    class: 'ci',
    name: 'service principals and managed identities of Azure',
    source:
      'learn.microsoft.com "ACR authentication with service principals": the user is the application id, a GUID; all zeros is anybody\'s token',
    user: /^(?!0{8}-)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  },
  {
    class: 'ci',
    name: 'builders',
    source:
      'captured "Buildah/1.28.2"; moby/buildkit#2593: "buildkit/VERSION"; GoogleContainerTools/kaniko#262: "kaniko/VERSION"; werf/werf#6264: "werf/VERSION"; ko-build/ko: "ko/VERSION"; GoogleContainerTools/jib: "jib VERSION …"; buildpacks/pack and lifecycle',
    userAgent: /^(buildkit|buildah|kaniko|werf|ko|jib|pack|lifecycle|makisu|img)(?=[/ (]|$)/i,
  },
  {
    class: 'ci',
    name: 'runners',
    source:
      'actions/runner: "GitHubActionsRunner-OS/VERSION"; gitlab-org/gitlab-runner: "gitlab-runner VERSION (…)"; also added to the agent of the client that they start (docker UpstreamClient)',
    userAgent:
      /^(github-?actions[\w-]*|actions-runner|gitlab-runner)\b|UpstreamClient\((github-actions|gitlab-runner)\b/i,
  },
  {
    class: 'cluster',
    name: 'runtimes and controllers of a cluster',
    source:
      'captured "containerd/1.6.20~ds1"; cri-o/cri-o#1555: "cri-o/VERSION go/…"; awslabs/soci-snapshotter: "soci-snapshotter/%s"; containerd/stargz-snapshotter and nydus-snapshotter; fluxcd/pkg oci.UserAgent: "flux/v2", for charts "flux/v2/helm/v4/oras/v2"; argoproj/argo-cd; a docker that stores with containerd begins docker/ (moby/moby#45670)',
    userAgent:
      /^(containerd|cri-o|kubelet|kubernetes|k3s|k0s|soci-snapshotter|stargz-snapshotter|nydus-snapshotter|flux|argo-?cd[\w-]*|argo)(?=[/ (]|$)/i,
  },
];

/**
 * Clients that both people and machines use, and `import`, for rows without a client: their class depends on the
 * account.
 */
const peoplesAgents =
  /^(docker|containers|libpod|podman|skopeo|nerdctl|finch|bootc|crane|go-containerregistry|oras|oras-go|helm|regclient|regctl|curl|wget|opentofu|terraform|import)(?=[/ (-]|$)/i;

/**
 * Whether the table knows the class of a user agent, or of a client's name (`clientOf`). An unknown client counts as a
 * person's, and is listed for the owner.
 */
export function knownAgent(agent: string): boolean {
  const forms = agent === '' ? [] : [agent, `${agent}/1`];
  return agent === '' || [peoplesAgents, ...agentRules].some((rule) => forms.some((form) => rule.test(form)));
}

const agentRules = classRules.flatMap(({ userAgent }) => (userAgent instanceof RegExp ? [userAgent] : []));

/** Returns the class of an event: `overrides` come before the table, and an event that matches nothing is a human's. */
export function classifier(overrides: OwnClassRule[] = []): (event: Classified) => PullClass {
  const rules = [...overrides, ...classRules].map(compile);
  return (event) => rules.find(({ holds }) => holds(event))?.class ?? 'human';
}

function compile(rule: OwnClassRule): { class: PullClass; holds: (event: Classified) => boolean } {
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

function pattern(rule: OwnClassRule, field: Exclude<keyof ClassRule, 'class' | 'name' | 'source' | 'method'>) {
  const value = rule[field];
  if (value === undefined) return;
  try {
    // A RegExp with the flag `g` or `y` would remember where it stopped.
    return value instanceof RegExp
      ? new RegExp(value.source, value.flags.replace(/[gy]/g, ''))
      : new RegExp(value, 'i');
  } catch (cause) {
    throw new Error(
      `class rule ${JSON.stringify(rule.name)}: ${field} ${JSON.stringify(value)} is not a regular expression`,
      {
        cause,
      },
    );
  }
}

/** The client's name in a user agent, lower case: `docker`, `containerd`, `skopeo`, …; '' if it has none. */
export function clientOf(agent: string): string {
  // regctl, regsync and regbot put their project first.
  const userAgent = agent.replace(/^regclient\/(?=reg)/i, '');
  const [, words = ''] = /^[\s"']*([\p{L}\d][\p{L}\d._ -]*)/u.exec(userAgent) ?? [];
  const rest = userAgent.slice(userAgent.indexOf(words) + words.length);
  // A version or one of these characters must follow the name; otherwise it is not a name.
  const version = words.search(/ v?\d/);
  if (version < 0 && !/^\s*(?:[/(;,"]|$)|^\s+v?\d/.test(rest)) return '';
  const product = (version < 0 ? words : words.slice(0, version)).trimEnd().toLowerCase();
  return (clientNames[product] ?? product).slice(0, 40);
}

/** Products with more than one name. */
const clientNames: Partial<Record<string, string>> = {
  'docker-client': 'docker',
  'go-containerregistry': 'crane',
  libpod: 'podman',
};
