// The input of sums: a row of `documents`.
import type { SQLInputValue } from 'node:sqlite';
import { usersIn } from '../users.ts';

/** The users of `documents`; sums have their names. */
export const documentUsers = usersIn('user_numbers');
/** The user of a row of `documents`, in SQL; '' if it is anonymous or leaving. */
const userOfRow = `COALESCE(${documentUsers.nameIn('documents')}, '')`;
/** The same with its name. */
export const namedUser = `${userOfRow} AS user`;
/** The condition that a row of `documents` is of a named user. */
export const hasNamedUser = `${userOfRow} <> ''`;

export interface Doc {
  kind: string;
  user: string;
  repository: string;
  time: number;
  action: string;
  manifest: number;
  tag: string | null;
  digest: string | null;
  class: string;
  country: string;
  client: string;
  apart: number | null;
  uncertain: number | null;
}
export const docColumns = `kind, ${namedUser}, repository, time, action, manifest, tag, digest, class, country, client, apart, uncertain`;

export const docOf = (row: SQLInputValue[]): Doc => {
  const [kind, user, repository, time, action, manifest, tag, digest, kindOfPull, country, client, apart, uncertain] =
    row as [
      string,
      string,
      string,
      number,
      string,
      number,
      string | null,
      string | null,
      string,
      string,
      string,
      number | null,
      number | null,
    ];
  return {
    kind,
    user,
    repository,
    time,
    action,
    manifest,
    tag,
    digest,
    class: kindOfPull,
    country,
    client,
    apart,
    uncertain,
  };
};

/** Whether two documents contribute the same to every sum. */
export const isSame = (a: Doc, b: Doc): boolean =>
  a.time === b.time &&
  a.class === b.class &&
  a.user === b.user &&
  a.repository === b.repository &&
  a.digest === b.digest &&
  a.tag === b.tag &&
  a.client === b.client &&
  a.country === b.country &&
  (a.apart ?? 0) === (b.apart ?? 0) &&
  (a.uncertain ?? 0) === (b.uncertain ?? 0) &&
  a.manifest === b.manifest &&
  a.action === b.action;
