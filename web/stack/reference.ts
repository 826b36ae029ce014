// An image as files write it, and the repository that a registry knows it by.

export interface Reference {
  /** As it was written. */
  written: string;
  /** Names that the repository may have here, likeliest first; empty if the name is unknown. */
  names: string[];
}

/** Docker's own registry: what has no host is there, and what has one part there is `library/` of it. */
const hub = /^(?:(?:index|registry-1)\.)?docker\.io$/;
// The form of a name in the OCI distribution-spec, without its limit of length.
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/** Reads `registry.example:5000/team/app:1.4@sha256:…`. The host, the tag or the digest may be a variable. */
export function referenceOf(written: string): Reference {
  const bare = written
    .trim()
    .replace(/^(?:docker|oci|docker-daemon|containers-storage):(?:\/\/)?/, '')
    .replace(/@.*$/s, '')
    .replace(/:[^/]*$/, '');
  const parts = bare.split('/');
  const [first] = parts;
  const hosted = parts.length > 1 && (/[.:]|^localhost$/.test(first) || isVariable(first));
  const name = hosted ? parts.slice(1) : parts;
  if (!name.every((part) => component.test(part)) || name.join('/').length > 255) return { written, names: [] };
  const path = name.join('/');
  const official = name.length === 1 && (!hosted || hub.test(first));
  if (official) return { written, names: [path, `library/${path}`] };
  if (name.length === 2 && name[0] === 'library') return { written, names: [path, name[1]] };
  return { written, names: [path] };
}

const isVariable = (part: string) => /^\$(?:\{[^}]*\}|\w+)$/.test(part);

/** Replaces `${NAME}`, `${NAME:-default}` and `$NAME` by known values; an unknown name without a default stays. */
export function filled(text: string, known: ReadonlyMap<string, string> = new Map()): string {
  return text.replace(
    /\$(?:\{(\w+)(?::?[-+?]([^}]*))?\}|(\w+))/g,
    (whole, braced, otherwise, plain) => known.get(braced ?? plain) ?? (otherwise || whole),
  );
}
