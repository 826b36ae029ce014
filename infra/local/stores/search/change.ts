// What one transaction changes in the sums.
import { registryOf } from '#core/registry/name.ts';
import {
  type Counted,
  dayMs,
  type FactChange,
  type Numbers,
  never,
  type Prepare,
  type RepositoryChange,
  stampChange,
  within,
  zeros,
} from './counted.ts';
import { type Doc, isSame } from './doc.ts';
import { storePeople } from './people-sums.ts';
import { storeFacts, storeRepository, storeScopes } from './repository-sums.ts';

/** How much of a file of an older version is summed. */
export interface Summing {
  /** Documents are still being rebuilt from events (refill.ts); nothing is summed until that is done. */
  filling?: boolean;
  kind: string;
  id: string;
  done: number;
  total: number;
}

export interface Change {
  /** Records a changed document; undefined stands for a missing one, before or after. */
  replace(kind: string, id: string, before: Doc | undefined, after: Doc | undefined): void;
  /** Records that reports about this repository's manifests have changed. */
  told(repository: string): void;
  end(): void;
}

const isOfPull = ({ kind }: Doc) => kind === 'pull' || kind === 'both';
const isOfImage = ({ kind, manifest, action }: Doc) => kind !== 'pull' && (manifest === 1 || action === 'delete');
const before = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b)) <= 0;

export function change(prepare: Prepare, at: Summing | undefined): Change {
  const counted: Counted[] = [];
  const repositories = new Map<string, RepositoryChange>();

  const repositoryChange = (repository: string): RepositoryChange =>
    within(repositories, repository, () => ({
      ...{
        registry: registryOf(repository),
        pulls: 0,
        raw: 0,
        manifests: 0,
        pulledBy: 0,
        last: never,
        less: false,
        stamp: 0,
      },
      ...{ days: new Map(), facts: new Map() },
    }));

  function count(doc: Doc, sign: 1 | -1) {
    const { kind, repository, time, action, manifest } = doc;
    const isPull = isOfPull(doc);
    const isEvent = kind === 'event' || kind === 'both';
    const own = repositoryChange(repository);
    if (isOfImage(doc)) fact(own, doc, sign);
    if (kind === 'fact') return;
    if (isEvent && manifest === 1) own.manifests += sign;
    const isRaw = isEvent && manifest === 1 && action === 'pull';
    const isPush = isEvent && manifest === 1 && action === 'push';
    if (!isPull && !isRaw && !isPush) return;
    const uncertain = isPull && doc.uncertain === 1;
    const of = (isCounted: boolean) => (isCounted ? sign : 0);
    const add: Numbers = [of(isPull), of(uncertain), of(isRaw), of(isPush && doc.apart !== 1), of(isPush)];
    const day = Math.floor(time / dayMs);
    const one = { doc, day, add, own, isLess: isPull && sign < 0 };
    within(own.days, day, (): Counted[] => []).push(one);
    counted.push(one);
    if (isRaw) own.raw += sign;
    if (!isPull) return;
    own.pulls += sign;
    if (sign > 0) own.last = Math.max(own.last, time);
    else own.less = true;
  }

  /** Reads times again that may be those of a document that no longer is, although it was not summed yet. */
  function readAgain(doc: Doc) {
    const own = repositoryChange(doc.repository);
    if (isOfImage(doc)) fact(own, doc, 0);
    if (!isOfPull(doc)) return;
    own.less = true;
    counted.push({ doc, day: Math.floor(doc.time / dayMs), add: zeros(), own, isLess: true });
  }

  function fact(
    own: RepositoryChange,
    { repository, action, digest, tag, class: kind, apart, time }: Doc,
    sign: 1 | -1 | 0,
  ) {
    const isApart = apart === 1 ? 1 : 0;
    const found = within(
      own.facts,
      `${action}\0${digest ?? ''}\0${tag ?? ''}\0${kind}\0${isApart}`,
      (): FactChange => ({
        ...{ key: [repository, action, digest ?? '', tag ?? '', kind, isApart], last: never, came: 0, less: never },
      }),
    );
    if (sign > 0 && time > found.last) Object.assign(found, { last: time, came: 0 });
    if (time === found.last) found.came += sign;
    if (sign <= 0) found.less = Math.max(found.less, time);
  }

  return {
    replace(kind, id, old, now) {
      if (old && now && isSame(old, now)) return;
      if (at && !(before(kind, at.kind) && (kind !== at.kind || before(id, at.id)))) {
        // A later step of the build will sum what there is now.
        if (old && !at.filling) readAgain(old);
        return;
      }
      if (old) count(old, -1);
      if (now) count(now, 1);
    },
    told(repository) {
      repositoryChange(repository).stamp = stampChange;
    },
    end() {
      storeScopes(prepare, repositories);
      storePeople(prepare, counted);
      for (const [name, own] of repositories) {
        if (own.facts.size > 0) storeFacts(prepare, name, own);
        storeRepository(prepare, name, own);
      }
    },
  };
}
