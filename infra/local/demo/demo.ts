// npm start -- --demo: made-up traffic, so that a first look is never empty. Everything in it is marked: people and
// accounts hold `demo-`, repositories begin `demo/`, domains end `.demo.example`. It is sent over HTTP like any other
// traffic: registry events as registries send them (registries.ts), hits as a portal's servers send them.
//
// First it sends the two weeks before now, many events per request; then a trickle until it is stopped.
import { createHash } from 'node:crypto';
import { prefixes } from './cities.ts';
import { notifications, type Served, type Target, uuid } from './registries.ts';

export interface DemoOptions {
  /** The same seed makes the same people, repositories and domains. */
  seed: number;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Whether the two weeks were sent before: then only their registry events are sent again, with the same ids. */
  filledBefore?: boolean;
  send: (post: Post) => Promise<void>;
  report?: (cause: unknown) => void;
}

export interface Demo {
  /** Resolves when the two weeks are sent; with false if it was stopped before. */
  filled: Promise<boolean>;
  /** Stops it after the current requests. */
  stop(): void;
}

const daysBack = 14;
const dayMs = 86_400_000;

export function demo({ seed, now, send, filledBefore = false, report = console.error }: DemoOptions): Demo {
  const world = demoWorld(seed);
  const posts = backFill(world, now());
  const random = seeded(`${seed} live ${now()}`);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const attempt = async (post: Post) => {
    try {
      await send(post);
    } catch (cause) {
      if (!stopped) report(cause);
    }
  };
  const inTurn = async (lane: Post[]) => {
    for (const post of lane) if (!stopped) await attempt(post);
  };
  const fill = async () => {
    // Hits are sent first, because people look at the map first. Portals send concurrently; a registry has one post in
    // progress at a time, as in reality.
    const hits = filledBefore ? [] : posts.filter(({ path }) => path === hitsPath);
    await Promise.all(Array.from({ length: 8 }, (_, lane) => inTurn(hits.filter((_post, at) => at % 8 === lane))));
    await inTurn(posts.filter(({ path }) => path === registryPath));
    if (stopped) return false;
    timer = setInterval(() => {
      for (const post of trickle(world, random, now())) attempt(post);
    }, 1000);
    return true;
  };
  return {
    filled: fill(),
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

// --- posts ----------------------------------------------------------------------------------------------------------

export interface Post {
  path: string;
  /** JSON. */
  body: unknown;
  /** The visitor's address, sent as X-Forwarded-For. */
  from?: string;
  /** The registry whose token is sent. */
  registry?: string;
}

const registryPath = '/v1/registry-events';
const hitsPath = '/v1/hits';

/** All traffic of the two weeks before `now`, and pushes of the months before that, of images nobody uses. */
export function backFill(world: World, now: number): Post[] {
  const today = Math.floor(now / dayMs) * dayMs;
  const events: Served[] = [];
  for (let day = today - daysBack * dayMs; day <= today; day += dayMs) events.push(...eventsOfDay(world, day));
  const past = events.filter(({ at }) => at <= now && at > now - daysBack * dayMs).sort((a, b) => a.at - b.at);
  past.unshift(...leftBehind(world, now));
  const posts = registryPosts(past);
  for (const [from, domains] of Map.groupBy(world.domains, ({ address }) => address))
    posts.push({ path: hitsPath, from, body: domains.flatMap((domain) => hitsOf(domain, now)) });
  return posts;
}

/** The traffic of one second: one to three hits, and a pull every few seconds. */
export function trickle(world: World, random: Random, now: number): Post[] {
  const posts: Post[] = [];
  for (let hits = 1 + below(random, 3); hits > 0; hits--) {
    const { domain, address } = world.domains[Math.floor(world.domains.length * random() ** 2)];
    posts.push({ path: hitsPath, from: address, body: [{ domain, action: action(random) }] });
  }
  if (random() < 0.3) {
    const person = pick(random, world.people);
    const made = pullOf(world, random, person, now, `live ${now} ${random()}`).filter(({ at }) => at <= now + 1000);
    posts.push(...registryPosts(made));
  }
  if (random() < 0.04)
    posts.push(...registryPosts(pushOf(world, pick(random, repositories), now, `live ${now} ${random()}`)));
  return posts;
}

function registryPosts(served: Served[]): Post[] {
  return notifications(served, (repository) => inHarbor.has(repository)).map((one) => ({ path: registryPath, ...one }));
}

/** A domain's hits, most of them recent; few domains are busy and many are quiet. */
function hitsOf({ domain, rank }: Domain, now: number): { domain: string; action: string; time: string }[] {
  const random = seeded(`${domain} ${now}`);
  const count = 2 + Math.round(500 / (rank + 2) ** 0.7);
  return Array.from({ length: count }, () => ({
    domain,
    action: action(random),
    time: new Date(now - random() ** 1.5 * daysBack * dayMs).toISOString(),
  }));
}

function action(random: Random): string {
  const at = random();
  return at < 0.8 ? 'view' : at < 0.88 ? 'login' : at < 0.94 ? 'download' : at < 0.98 ? 'upload' : 'share';
}

// --- the world ------------------------------------------------------------------------------------------------------

export interface World {
  seed: number;
  people: Person[];
  domains: Domain[];
}

interface Person {
  name: string;
  address: string;
  userAgent: string;
  /** Communities by how often this person pulls from them. */
  tastes: string[];
  pullsPerDay: number;
}

interface Domain {
  domain: string;
  address: string;
  /** 0 is the busiest. */
  rank: number;
}

/** Repositories that are pulled together, the most popular first. */
const communities: Record<string, string> = {
  logs: 'elasticsearch logstash kibana spark filebeat metricbeat apm-server curator',
  web: 'nginx node redis traefik caddy varnish php-fpm memcached',
  data: 'postgres kafka spark airflow trino clickhouse flink zookeeper minio',
  learning: 'jupyter pytorch mlflow cuda triton tensorboard ray label-studio',
  operations: 'prometheus grafana alertmanager node-exporter loki tempo vault consul etcd',
  java: 'openjdk maven tomcat keycloak sonarqube nexus gradle jenkins',
  things: 'mosquitto node-red influxdb telegraf home-hub chirpstack',
  shop: 'storefront checkout catalogue search-api payments mailer',
};

const names =
  'ada bao chidi dana emre fatima goran hana ines jonas kemal lena mateo nadia omar priya quinn rosa sven tariq uma viktor wanda xiang yara zoe amir birgit carlos deepa elif feng greta hugo ivana jamal kenji lucia marek noor olga pedro ritu sofia tomas ulla vera wei yusuf zuri';
const firsts =
  'amber atlas aurora basalt birch blue bright cedar clear cobalt coral crane delta ember falcon fern flint golden granite harbor hazel heron indigo iron ivory jade juniper lark linden lunar maple marble meadow misty north oak olive onyx opal orchid pearl pine polar quartz raven ridge river rowan saffron sierra silver slate solar spruce sterling summit swift tidal umber valley velvet violet willow winter zephyr';
const seconds =
  'analytics archive bakery bank books cargo clinic cloud coffee college dental design energy farms finance foods freight games garden hotels insure labs legal logistics market media mobility motors museum music optics pharma press print rail realty retail school security shipping soft sports studio supply tech telecom theatre tools tours trade travel water wind works';

const people = {
  docker:
    'docker/27.3.1 go/go1.22.7 git-commit/41ca978 kernel/6.8.0 os/linux arch/amd64 UpstreamClient(Docker-Client/27.3.1 \\(linux\\))',
  containerd: 'containerd/1.7.22',
  podman: 'containers/5.32.2 (github.com/containers/image)',
};

export function demoWorld(seed: number): World {
  const random = seeded(`${seed} world`);
  const domains = shuffle(
    random,
    firsts.split(' ').flatMap((first) => seconds.split(' ').map((second) => `${first}-${second}.demo.example`)),
  ).slice(0, 2400);
  return {
    seed,
    people: names.split(' ').map((name) => person(random, name)),
    // One address per network: domains with the same address share a request.
    domains: domains.map((domain, rank) => ({ domain, rank, address: `${pick(random, prefixes)}.77` })),
  };
}

function person(random: Random, name: string): Person {
  const [home, second, third] = shuffle(random, Object.keys(communities));
  const client = random();
  return {
    name: `demo-${name}`,
    address: address(random),
    userAgent: client < 0.75 ? people.docker : client < 0.9 ? people.podman : people.containerd,
    tastes: [home, home, home, home, home, home, home, second, second, third],
    pullsPerDay: 0.6 + 4 * random() ** 2,
  };
}

function address(random: Random): string {
  return `${pick(random, prefixes)}.${1 + below(random, 254)}`;
}

// --- registry events ------------------------------------------------------------------------------------------------

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  blob: 'application/octet-stream',
};

/**
 * A day's events. They are always the same: a demo that is started again on the same data sends the same events with
 * the same ids.
 */
function eventsOfDay(world: World, day: number): Served[] {
  const random = seeded(`${world.seed} day ${day}`);
  const events: Served[] = [];
  // People work less at weekends.
  const pace = [0, 6].includes(new Date(day).getUTCDay()) ? 0.35 : 1;
  for (const who of world.people) {
    for (let pulls = poisson(random, who.pullsPerDay * pace); pulls > 0; pulls--) {
      const at = day + (6 + 14 * random()) * 3_600_000;
      events.push(...pullOf(world, random, who, at, `${who.name} ${day} ${pulls}`));
    }
  }
  events.push(...machinesOfDay(world, random, day));
  return events;
}

function pullOf(world: World, random: Random, who: Person, at: number, key: string): Served[] {
  const community = communities[pick(random, who.tastes)].split(' ');
  const image = imageOf(community[Math.floor(community.length * random() ** 1.6)], at, random() < 0.75);
  const make = maker(world, who.name, who.address, who.userAgent, key);
  const engine = who.userAgent !== people.podman;
  const events = [make(at, 'pull', engine ? 'HEAD' : 'GET', image.index, image.tag)];
  // Half of the time the engine already has the image, and sends only a HEAD.
  if (random() < 0.5) return events;
  if (engine) events.push(make(at + 40, 'pull', 'GET', image.index));
  events.push(make(at + 70, 'pull', 'GET', image.manifest));
  events.push(make(at + 120, 'pull', 'GET', image.blob), make(at + 900, 'pull', 'GET', image.blob2));
  return events;
}

const repositories = [...new Set(Object.values(communities).flatMap((list) => list.split(' ')))];
/** The repositories of a team that has its own registry, a Harbor. */
const inHarbor = new Set(communities.shop.split(' ').map((name) => `demo/${name}`));

/** A build pushes the version of a time, and tags it as the latest. */
function pushOf(world: World, repository: string, at: number, key: string, tags = ['latest']): Served[] {
  const image = imageOf(repository, at, true);
  const make = maker(world, 'robot$demo-ci', '198.51.100.7', 'buildkit/v0.17', `robot$demo-ci ${key} ${repository}`);
  return [
    make(at, 'push', 'PUT', image.blob),
    make(at + 200, 'push', 'PUT', image.manifest),
    ...[image.version, ...tags].map((tag) => make(at + 400, 'push', 'PUT', image.index, tag)),
  ];
}

/** Versions that were pushed one and a half to four months ago and that nobody pulls: the list of unused images. */
function leftBehind(world: World, now: number): Served[] {
  return repositories
    .filter((_repository, at) => at % 4 === 1)
    .flatMap((repository, at) => pushOf(world, repository, now - (45 + 6 * at) * dayMs, 'left behind', []))
    .sort((a, b) => a.at - b.at);
}

/** Clients that are not people: builds that push, a cluster, a scanner, a signature check, an updater. */
function machinesOfDay(world: World, random: Random, day: number): Served[] {
  const events: Served[] = [];
  const machine = (name: string, userAgent: string, network: string, key: string) =>
    maker(world, name, network, userAgent, `${name} ${day} ${key}`);
  repositories.forEach((repository, at) => {
    const image = imageOf(repository, day + dayMs - 1, true);
    const start = day + (at * 60 + 50 * random()) * 1000;
    if (imageOf(repository, day - 1, true).index.digest !== image.index.digest)
      events.push(...pushOf(world, repository, start, `${day}`));
    // Harbor scans by itself, and this team has no cluster.
    if (inHarbor.has(image.index.repository)) return;
    const scan = machine('demo-scanner', 'trivy/0.57.0', '198.51.100.8', repository);
    events.push(scan(start + 3_600_000, 'pull', 'GET', image.index, 'latest'));
    events.push(scan(start + 3_600_100, 'pull', 'GET', image.manifest));
    if (at % 3 === 0) {
      const cluster = machine('demo-cluster', 'containerd/1.7.22', '198.51.100.9', repository);
      events.push(cluster(start + 7_200_000, 'pull', 'HEAD', image.index, image.version));
    }
    if (at % 4 === 0) {
      const updater = machine('demo-updater', 'RenovateBot/39.0', '198.51.100.10', repository);
      for (const hour of [4, 12, 20])
        events.push(updater(day + hour * 3_600_000 + at * 1000, 'pull', 'HEAD', image.index, 'latest'));
    }
  });
  return events;
}

/** What a repository's tag points to at a time: a new version each week, on the repository's own weekday. */
function imageOf(name: string, at: number, latest: boolean) {
  const repository = `demo/${name}`;
  const week = Math.floor((at / dayMs + (name.length % 7)) / 7) - (latest ? 0 : 1);
  const version = `1.${week % 100}`;
  const target = (kind: 'index' | 'manifest' | 'blob', part: string, references?: Target['references']): Target => ({
    repository,
    mediaType: types[kind],
    digest: digestOf(`${repository} ${week} ${part}`),
    size: 500 + ((week * 37 + part.length * 101) % 900),
    references,
  });
  const reference = (mediaType: string, part: string) => ({
    mediaType,
    digest: digestOf(`${repository} ${week} ${part}`),
    size: part === 'layer' ? (20 + ((name.length * 53 + week) % 90) * 4) * 1_000_000 : 400,
  });
  return {
    tag: latest ? 'latest' : version,
    version,
    index: target('index', 'index', [reference(types.manifest, 'amd64'), reference(types.manifest, 'arm64')]),
    manifest: target('manifest', 'amd64', [reference(types.config, 'config'), reference(types.layer, 'layer')]),
    blob: target('blob', 'config'),
    blob2: target('blob', 'layer'),
  };
}

/** Makes the requests of one client. The same key makes the same ids. */
function maker(world: World, user: string, from: string, useragent: string, key: string) {
  let made = 0;
  return (time: number, action: Served['action'], method: string, target: Target, tag?: string): Served => ({
    ...{ id: uuid(`${world.seed} ${key} ${made++}`), at: Math.round(time) },
    ...{ action, method, target, tag, user, from, useragent },
  });
}

function digestOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

// --- chance ---------------------------------------------------------------------------------------------------------

export type Random = () => number;

/** A stream of numbers in [0, 1) for each text: xorshift128 started from the text's hash. */
export function seeded(text: string): Random {
  const state = new Uint32Array(4);
  const hash = createHash('sha256').update(text).digest();
  for (let word = 0; word < 4; word++) state[word] = hash.readUInt32LE(word * 4) | 1;
  return () => {
    const last = state[3] ^ (state[3] << 11);
    state.copyWithin(1, 0, 3);
    state[0] = state[1] ^ (state[1] >>> 19) ^ last ^ (last >>> 8);
    return state[0] / 2 ** 32;
  };
}

function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

function pick<T>(random: Random, items: T[]): T {
  return items[below(random, items.length)];
}

function shuffle<T>(random: Random, items: T[]): T[] {
  const shuffled = [...items];
  for (let at = shuffled.length - 1; at > 0; at--) {
    const other = below(random, at + 1);
    [shuffled[at], shuffled[other]] = [shuffled[other], shuffled[at]];
  }
  return shuffled;
}

/** A random count with this mean (Poisson, by Knuth's product of uniforms). */
function poisson(random: Random, mean: number): number {
  let count = 0;
  for (let product = random(); product > Math.exp(-mean); product *= random()) count++;
  return count;
}
