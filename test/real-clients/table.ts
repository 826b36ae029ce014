// How each command of each client counts: how many pulls, of which class, from how many registry events, and how many
// pushes. A row says what a registry's operator who saw the command being typed would expect. `clients.test.ts` runs
// the rows against real registries; `test/core/registry/clients.test.ts` replays the traffic that was captured that
// way.
import type { PullClass } from '#core/event.ts';

export type Counts = Partial<Record<PullClass, number>>;

export interface Row {
  /** A unique name; the row's repository is named after it. */
  row: string;
  /** Bash, run as `user`; see `prelude.sh` for its variables and functions. */
  run: string;
  /** What somebody else pushed to the repository before: tags 1 and 2. */
  seed?: 'image' | 'index' | 'chart' | 'artifact' | 'described' | 'signed' | 'nothing';
  /** The user that the registry reports. */
  user?: 'alice' | 'cache';
  /** Pulls of the row's repository. */
  pulls: Counts;
  /** Manifest pull events of the row's repository. */
  raw: number;
  /** Tags and untagged roots pushed to the row's repository. */
  pushes?: number;
  /** The same of `$OTHER`. */
  other?: { pulls: Counts; raw: number; pushes: number };
  /** What differs with registry 3. */
  in3?: Partial<Pick<Row, 'pulls' | 'raw' | 'pushes'>>;
  /** An explanation where the counts are not obvious. */
  because?: string;
}

/** What is expected of a registry. */
export const expected = (row: Row, registry: string): Row => ({ ...row, ...(registry === '3' ? row.in3 : {}) });

export const rows: Row[] = [
  // skopeo
  { row: 'skopeo copy', run: 'skopeo copy docker://$IMAGE:1 dir:$W/out', pulls: { human: 1 }, raw: 1 },
  {
    row: 'skopeo copy, an index',
    seed: 'index',
    run: 'skopeo copy docker://$IMAGE:1 dir:$W/out',
    pulls: { human: 1 },
    raw: 2,
  },
  {
    row: 'skopeo copy --all',
    seed: 'index',
    run: 'skopeo copy --all docker://$IMAGE:1 dir:$W/out',
    pulls: { human: 1 },
    raw: 3,
  },
  { row: 'skopeo copy, by digest', run: 'skopeo copy docker://$IMAGE@$DIGEST dir:$W/out', pulls: { human: 1 }, raw: 1 },
  {
    row: 'skopeo copy, to another repository',
    run: 'skopeo copy docker://$IMAGE:1 docker://$OTHER:1',
    pulls: { human: 1 },
    raw: 1,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  {
    row: 'skopeo copy --all, to another repository',
    seed: 'index',
    run: 'skopeo copy --all docker://$IMAGE:1 docker://$OTHER:1',
    pulls: { human: 1 },
    raw: 3,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  {
    row: 'skopeo copy --all, a push',
    seed: 'nothing',
    run: 'skopeo copy --all $INDEX docker://$IMAGE:1',
    pulls: {},
    raw: 0,
    pushes: 1,
  },
  {
    row: 'skopeo inspect',
    run: 'skopeo inspect docker://$IMAGE:1',
    pulls: { human: 1 },
    raw: 1,
    because: 'it fetches manifest and configuration, as a pull of kept layers does',
  },
  { row: 'skopeo list-tags', run: 'skopeo list-tags docker://$IMAGE', pulls: {}, raw: 0 },
  { row: 'skopeo sync', run: 'skopeo sync --src docker --dest dir $IMAGE $W', pulls: { human: 2 }, raw: 2 },
  {
    row: 'skopeo copy, twice',
    run: 'skopeo copy docker://$IMAGE:1 dir:$W/a; sleep 2.5; skopeo copy docker://$IMAGE:1 dir:$W/b',
    pulls: { human: 2 },
    raw: 2,
  },
  {
    row: 'skopeo delete',
    run: 'skopeo delete docker://$IMAGE:1',
    pulls: {},
    raw: 1,
    because: 'it fetches the manifest only to delete it',
  },
  // podman, buildah
  { row: 'podman pull', run: 'podman pull $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  { row: 'podman pull, an index', seed: 'index', run: 'podman pull $IMAGE:1', pulls: { human: 1 }, raw: 2 },
  { row: 'podman pull, by digest', run: 'podman pull $IMAGE@$DIGEST', pulls: { human: 1 }, raw: 1 },
  { row: 'podman pull --all-tags', run: 'podman pull --all-tags $IMAGE', pulls: { human: 2 }, raw: 2 },
  {
    row: 'podman pull, again',
    run: 'podman pull $IMAGE:1; sleep 2.5; podman pull $IMAGE:1',
    pulls: { human: 2 },
    raw: 2,
  },
  {
    row: 'podman push',
    seed: 'nothing',
    run: 'skopeo copy $SINGLE docker-archive:$W/x.tar:made:1; podman load -i $W/x.tar; podman push made:1 $IMAGE:1',
    pulls: {},
    raw: 0,
    pushes: 1,
  },
  {
    row: 'podman manifest inspect',
    seed: 'index',
    run: 'podman manifest inspect $IMAGE:1',
    pulls: { human: 1 },
    raw: 1,
  },
  { row: 'buildah pull', run: 'buildah pull $IMAGE:1', pulls: { ci: 1 }, raw: 1 },
  { row: 'buildah bud', run: 'dockerfile; buildah bud --isolation chroot -t made $W', pulls: { ci: 1 }, raw: 1 },
  {
    row: 'buildah bud and push',
    run: 'dockerfile; buildah bud --isolation chroot -t $IMAGE:3 $W; buildah push $IMAGE:3',
    pulls: { ci: 1 },
    raw: 1,
    pushes: 1,
  },
  // containerd
  { row: 'ctr images pull', run: 'ctr images pull $IMAGE:1', pulls: { cluster: 1 }, raw: 2 },
  { row: 'ctr images pull, an index', seed: 'index', run: 'ctr images pull $IMAGE:1', pulls: { cluster: 1 }, raw: 3 },
  {
    row: 'ctr images pull --all-platforms',
    seed: 'index',
    run: 'ctr images pull --all-platforms $IMAGE:1',
    pulls: { cluster: 1 },
    raw: 4,
  },
  { row: 'ctr images pull, by digest', run: 'ctr images pull $IMAGE@$DIGEST', pulls: { cluster: 1 }, raw: 2 },
  {
    row: 'ctr images pull, again',
    run: 'ctr images pull $IMAGE:1; sleep 2.5; ctr images pull $IMAGE:1',
    pulls: { cluster: 2 },
    raw: 3,
    because: 'the second is a HEAD alone: an engine that has the image',
  },
  { row: 'ctr content fetch', run: 'ctr content fetch $IMAGE:1', pulls: { cluster: 1 }, raw: 2 },
  {
    row: 'ctr images push',
    run: 'ctr images pull $IMAGE:1; ctr images tag $IMAGE:1 $IMAGE:3; ctr images push $IMAGE:3',
    pulls: { cluster: 1 },
    raw: 2,
    pushes: 1,
  },
  // helm
  {
    row: 'helm push',
    seed: 'nothing',
    run: 'chart; helm push $W/*.tgz oci://$(dirname $IMAGE)',
    pulls: {},
    raw: 1,
    pushes: 1,
  },
  { row: 'helm pull', seed: 'chart', run: 'helm pull oci://$IMAGE --version 0.1.0 -d $W', pulls: { human: 1 }, raw: 1 },
  { row: 'helm pull, the newest', seed: 'chart', run: 'helm pull oci://$IMAGE -d $W', pulls: { human: 1 }, raw: 1 },
  {
    row: 'helm show chart',
    seed: 'chart',
    run: 'helm show chart oci://$IMAGE --version 0.1.0',
    pulls: { human: 1 },
    raw: 1,
  },
  {
    row: 'helm template',
    seed: 'chart',
    run: 'helm template oci://$IMAGE --version 0.1.0',
    pulls: { human: 1 },
    raw: 1,
  },
  {
    row: 'helm dependency update',
    seed: 'chart',
    run: 'umbrella; helm dependency update $W/umbrella',
    pulls: { human: 1 },
    raw: 1,
  },
  // oras
  { row: 'oras push', seed: 'nothing', run: 'oras push $IMAGE:1 notes.txt', pulls: {}, raw: 0, pushes: 1 },
  { row: 'oras pull', seed: 'artifact', run: 'oras pull $IMAGE:1 -o $W/out', pulls: { human: 1 }, raw: 1 },
  {
    row: 'oras copy',
    run: 'oras cp $IMAGE:1 $OTHER:1',
    pulls: { human: 1 },
    raw: 1,
    other: { pulls: {}, raw: 1, pushes: 1 },
  },
  {
    row: 'oras copy, an index',
    seed: 'index',
    run: 'oras cp $IMAGE:1 $OTHER:1',
    pulls: { human: 1 },
    raw: 3,
    other: { pulls: {}, raw: 3, pushes: 1 },
  },
  {
    row: 'oras attach',
    run: 'oras attach --artifact-type example/notes $IMAGE:1 notes.txt',
    pulls: { 'version-check': 1 },
    raw: 1,
    pushes: 1,
  },
  {
    row: 'oras discover',
    seed: 'described',
    run: 'oras discover $IMAGE:1',
    pulls: { 'version-check': 1, signature: 1 },
    raw: 2,
  },
  { row: 'oras manifest fetch', run: 'oras manifest fetch $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  { row: 'oras resolve', run: 'oras resolve $IMAGE:1', pulls: { 'version-check': 1 }, raw: 1 },
  {
    row: 'oras tag',
    run: 'oras tag $IMAGE:1 3',
    pulls: {},
    raw: 1,
    pushes: 1,
    because: 'it fetches the manifest only to push it by another tag',
  },
  { row: 'oras repo tags', run: 'oras repo tags $IMAGE', pulls: {}, raw: 0 },
  {
    row: 'oras manifest delete',
    run: 'oras manifest delete -f $IMAGE:1',
    pulls: {},
    raw: 2,
    because: 'it fetches the manifest only to delete it',
  },
  // crane
  { row: 'crane pull', run: 'crane pull $IMAGE:1 $W/x.tar', pulls: { human: 1 }, raw: 1 },
  { row: 'crane pull, an index', seed: 'index', run: 'crane pull $IMAGE:1 $W/x.tar', pulls: { human: 1 }, raw: 2 },
  { row: 'crane export', run: 'crane export $IMAGE:1 $W/x.tar', pulls: { human: 1 }, raw: 1 },
  { row: 'crane digest', run: 'crane digest $IMAGE:1', pulls: { 'version-check': 1 }, raw: 1 },
  { row: 'crane manifest', run: 'crane manifest $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  { row: 'crane config', run: 'crane config $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  {
    row: 'crane copy',
    run: 'crane copy $IMAGE:1 $OTHER:1',
    pulls: { human: 1 },
    raw: 1,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  {
    row: 'crane copy, an index',
    seed: 'index',
    run: 'crane copy $IMAGE:1 $OTHER:1',
    pulls: { human: 1 },
    raw: 3,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  {
    row: 'crane push',
    seed: 'nothing',
    run: 'skopeo copy $SINGLE docker-archive:$W/x.tar:made:1; crane push $W/x.tar $IMAGE:1',
    pulls: {},
    raw: 0,
    pushes: 1,
  },
  {
    row: 'crane tag',
    run: 'crane tag $IMAGE:1 3',
    pulls: {},
    raw: 1,
    pushes: 1,
    because: 'it fetches the manifest only to push it by another tag',
  },
  { row: 'crane mutate', run: 'crane mutate $IMAGE:1 -l a=b -t $IMAGE:3', pulls: { human: 1 }, raw: 1, pushes: 1 },
  { row: 'crane ls', run: 'crane ls $IMAGE', pulls: {}, raw: 0 },
  { row: 'crane validate', run: 'crane validate --remote $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  { row: 'crane delete', run: 'crane delete $IMAGE@$DIGEST', pulls: {}, raw: 0 },
  // regctl, regsync
  {
    row: 'regctl image copy',
    run: 'regctl image copy $IMAGE:1 $OTHER:1',
    pulls: { human: 1 },
    raw: 1,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  {
    row: 'regctl image copy, an index',
    seed: 'index',
    run: 'regctl image copy $IMAGE:1 $OTHER:1',
    pulls: { human: 1 },
    raw: 3,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  { row: 'regctl image export', run: 'regctl image export $IMAGE:1 $W/x.tar', pulls: { human: 1 }, raw: 1 },
  { row: 'regctl image digest', run: 'regctl image digest $IMAGE:1', pulls: { 'version-check': 1 }, raw: 1 },
  { row: 'regctl image inspect', run: 'regctl image inspect $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  { row: 'regctl manifest get', run: 'regctl manifest get $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  { row: 'regctl tag ls', run: 'regctl tag ls $IMAGE', pulls: {}, raw: 0 },
  {
    row: 'regctl artifact put',
    seed: 'nothing',
    run: 'regctl artifact put -f notes.txt $IMAGE:1',
    pulls: {},
    raw: 0,
    pushes: 1,
  },
  { row: 'regctl artifact get', seed: 'artifact', run: 'regctl artifact get $IMAGE:1', pulls: { human: 1 }, raw: 1 },
  {
    row: 'regctl tag delete',
    run: 'regctl tag delete $IMAGE:1',
    pulls: { 'version-check': 1 },
    raw: 1,
    pushes: 1,
    in3: { pulls: {}, raw: 0, pushes: 0 },
    because: 'registry 2.8 deletes by digest alone: it pushes an empty image to the tag and deletes that',
  },
  {
    row: 'regsync',
    seed: 'index',
    run: 'regsync once -c <(sync)',
    pulls: { mirror: 1 },
    raw: 4,
    other: { pulls: {}, raw: 0, pushes: 1 },
  },
  // cosign
  {
    row: 'cosign sign',
    run: 'cp $KEYS/cosign.key .; cosign sign $IMAGE@$DIGEST',
    pulls: { signature: 2 },
    raw: 2,
    pushes: 1,
    because: 'the image is requested by digest twice',
  },
  {
    row: 'cosign verify',
    seed: 'signed',
    run: 'cosign verify $IMAGE:1',
    pulls: { signature: 2 },
    raw: 6,
    because: 'the image and its signature, each requested twice',
  },
  // a pull-through cache
  {
    row: 'cache: skopeo copy',
    user: 'cache',
    run: 'skopeo copy docker://$CACHE:1 dir:$W/out',
    pulls: { mirror: 1 },
    raw: 2,
  },
  {
    row: 'cache: crane pull, an index',
    user: 'cache',
    seed: 'index',
    run: 'crane pull $CACHE:1 $W/x.tar',
    pulls: { mirror: 1 },
    raw: 3,
  },
  {
    row: 'cache: ctr images pull',
    user: 'cache',
    run: 'ctr images pull $CACHE:1',
    pulls: { mirror: 1 },
    raw: 2,
  },
  {
    row: 'cache: podman pull, an index',
    user: 'cache',
    seed: 'index',
    run: 'podman pull $CACHE:1',
    pulls: { mirror: 1 },
    raw: 3,
  },
  // by hand
  {
    row: 'curl',
    run: 'curl -fsS -u $CREDS -H "Accept: application/vnd.oci.image.manifest.v1+json" http://$REGISTRY/v2/$REPOSITORY/manifests/1',
    pulls: { human: 1 },
    raw: 1,
  },
  {
    row: 'curl --head',
    run: 'curl -fsS -u $CREDS --head -H "Accept: application/vnd.oci.image.manifest.v1+json" http://$REGISTRY/v2/$REPOSITORY/manifests/1',
    pulls: { 'version-check': 1 },
    raw: 1,
  },
];
