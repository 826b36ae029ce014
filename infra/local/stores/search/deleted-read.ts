// Which repositories are deleted, kept in memory until a repository's stamp shows that its images have changed
// (`stampChange` in counted.ts).
import type { RepositoryImages } from '#core/registry/images.ts';
import { isDeleted } from '#core/registry/unused.ts';
import { changesOf } from './counted.ts';

export interface Stamped {
  repository: string;
  stamp: number;
}

export function deletedRead(read: (repository: string) => RepositoryImages) {
  const deleted = new Map<string, { changes: number; is: boolean }>();
  return ({ repository, stamp }: Stamped): boolean => {
    const changes = changesOf(stamp);
    const found = deleted.get(repository);
    if (found?.changes === changes) return found.is;
    const is = isDeleted(read(repository));
    deleted.set(repository, { changes, is });
    return is;
  };
}
