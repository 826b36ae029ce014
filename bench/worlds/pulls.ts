// Pulls of some time, whose users and repositories follow Zipf's law, and the pushes before them.
import { seeded } from '#core/bytes/random.ts';
import type { RegistryEvent } from '#core/event.ts';

export interface WorldRow {
  /** Milliseconds since the epoch. */
  time: number;
  user: string;
  repository: string;
  tag: string;
  digest: string;
  userAgent: string;
  action: 'pull' | 'push';
}

const dayMs = 86_400_000;
const agents = ['docker/27.3.1', 'containerd/1.7', 'skopeo/1.16', 'trivy/0.5', 'gitlab-runner 17', 'kubelet/v1.30'];

/** `size` pulls of `days` days until `end`, sorted by time, as an export of a registry is. */
export function* worldOf(size: number, days: number, end: number): Generator<WorldRow> {
  const random = seeded(size);
  const users = zipf(Math.round(20 * size ** 0.5), 0.8);
  const repositories = zipf(Math.round(5 * size ** 0.42), 1);
  const pushed = new Set<string>();
  for (let n = 0; n < size; n++) {
    const time = end - days * dayMs + Math.floor((days * dayMs * n) / size + random() * 1000);
    const [user, image] = [users(random()), repositories(random())];
    // A new version a fortnight.
    const version = Math.floor(n / ((size * 14) / days));
    const tag = random() < 0.6 ? 'latest' : `1.${version}.${Math.floor(random() * 3)}`;
    const digest = `${image}.${version}.${tag.length}`
      .split('')
      .map((letter) => letter.charCodeAt(0).toString(16))
      .join('');
    const what = {
      repository: `team-${image % 40}/image-${image}`,
      tag,
      digest: `sha256:${digest.padEnd(64, '0').slice(0, 64)}`,
    };
    // CI pushes an image before anybody pulls it.
    const id = `${version} ${what.repository},${tag},${what.digest}`;
    if (!pushed.has(id)) {
      pushed.add(id);
      yield { time: time - 60_000, user: 'ci', ...what, userAgent: 'buildkit/0.17', action: 'push' };
    }
    yield {
      ...{ time, user: `user-${user}`, ...what, action: 'pull' },
      userAgent: agents[user % 11 < 6 ? 0 : user % 6],
    };
  }
}

/** What a registry reports of a row. */
export const eventOf = (row: WorldRow, id: string): RegistryEvent => ({
  ...{ ...row, id, kind: 'manifest', method: row.action === 'pull' ? 'GET' : 'PUT', address: '', source: 'registry' },
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
});

/** Draws from 0 to count - 1; the weight of n is 1 / (n + 1)^power. */
function zipf(count: number, power: number): (random: number) => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let n = 0; n < count; n++) sums[n] = sum += 1 / (n + 1) ** power;
  return (random) => {
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] < random * sum) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
