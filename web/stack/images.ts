// The images that a pasted text names: a compose file, Kubernetes manifests, Helm values, a Dockerfile, or a plain
// list.
import { filled, type Reference, referenceOf } from './reference.ts';

/** In UTF-16 units: a larger file is not a stack. */
export const mostText = 256 * 1024;
/** The service takes a thousand names, and an image may have two. */
const mostImages = 400;
/** The most times that aliases may be used: more is an attack (billion laughs). */
const mostAliases = 1000;

export class Unreadable extends Error {
  override name = 'Unreadable';
}

/** The images that a text names, each once, in its order. Throws Unreadable with what is wrong. */
export async function imagesIn(text: string): Promise<Reference[]> {
  if (text.length > mostText)
    throw new Unreadable(
      `The text has ${text.length} characters, more than ${mostText}: paste only the part with the images.`,
    );
  const written = isDockerfile(text) ? ofDockerfile(text) : (ofList(text) ?? (await ofYaml(text)));
  const found = [...new Set(written.map((one) => one.trim()).filter(Boolean))];
  if (found.length > mostImages)
    throw new Unreadable(`The text names ${found.length} images, more than ${mostImages}.`);
  return found.map(referenceOf);
}

// --- Dockerfile -------------------------------------------------------------------------------------------------------

/** Instructions, a line each: continued lines joined, comments left out. */
const instructionsOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/[\\`][ \t]*\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

function isDockerfile(text: string): boolean {
  const instructions = instructionsOf(text);
  const first = instructions.findIndex((line) => !/^ARG\s/i.test(line));
  return /^FROM\s+\S/i.test(instructions[first] ?? '');
}

function ofDockerfile(text: string): string[] {
  const known = new Map<string, string>();
  const stages = new Set<string>(['scratch']);
  const found: string[] = [];
  const add = (image: string) => {
    if (!stages.has(image.toLowerCase()) && !/^\d+$/.test(image)) found.push(image);
  };
  let began = false;
  for (const line of instructionsOf(text)) {
    const [, word, rest] = /^(\w+)\s+(.*)$/s.exec(line) ?? [];
    const instruction = word?.toUpperCase();
    // A FROM can use only the ARGs before the first FROM.
    if (instruction === 'ARG' && !began)
      for (const [, name, quoted, bare] of rest.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)) known.set(name, quoted ?? bare);
    if (instruction === 'FROM') {
      began = true;
      const [image, as, stage] = rest.split(/\s+/).filter((part) => !part.startsWith('--'));
      if (image) add(filled(image, known));
      if (as?.toUpperCase() === 'AS' && stage) stages.add(stage.toLowerCase());
    } else if (instruction === 'COPY' || instruction === 'RUN')
      for (const [, image] of rest.matchAll(/(?:^|\s)--(?:from=|mount=\S*?\bfrom=)([^\s,]+)/g))
        add(filled(image, known));
  }
  return found;
}

// --- a list -----------------------------------------------------------------------------------------------------------

/** Names only, one or several a line; undefined for anything else. */
function ofList(text: string): string[] | undefined {
  const words = text
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').replace(/^\s*[-*]\s+/, ''))
    .flatMap((line) => line.split(/[\s,]+/))
    .map((word) => word.replace(/^(["'])(.*)\1$/, '$2'))
    .filter(Boolean);
  const isName = (word: string) => /^[\w.\-/:@${}]+$/.test(word) && /\w$|\}$/.test(word) && word !== '---';
  return words.every(isName) ? words : undefined;
}

// --- YAML -------------------------------------------------------------------------------------------------------------

async function ofYaml(text: string): Promise<string[]> {
  const { parseAllDocuments } = await import('yaml');
  try {
    const documents = parseAllDocuments(text, { logLevel: 'silent', uniqueKeys: false });
    const found: string[] = [];
    for (const document of documents) {
      const [error] = document.errors;
      if (error) throw error;
      collect(document.toJS({ maxAliasCount: mostAliases }), found, new Set());
    }
    return found;
  } catch (cause) {
    if (cause instanceof RangeError) throw new Unreadable('The text is nested too deep to be read.');
    throw new Unreadable(
      `The text is not YAML, a Dockerfile or a list of images: ${(cause as Error).message.split('\n')[0].replace(/:$/, '')}.`,
    );
  }
}

/** Every `image:`, wherever it is: in services, containers, custom resources, Helm values, kustomizations. */
function collect(node: unknown, found: string[], seen: Set<object>): void {
  if (typeof node !== 'object' || node === null || seen.has(node)) return;
  seen.add(node);
  if (Array.isArray(node)) {
    for (const item of node) collect(item, found, seen);
    return;
  }
  for (const [key, value] of Object.entries(node)) {
    const image = key.toLowerCase() === 'image' || key.endsWith('Image') ? imageOf(value) : undefined;
    if (image !== undefined) found.push(filled(image));
    else if (key === 'images' && Array.isArray(value))
      for (const item of value) {
        const named = imageOf(item);
        if (named === undefined) collect(item, found, seen);
        else found.push(filled(named));
      }
    else collect(value, found, seen);
  }
}

/** `team/app:1`, Helm's `{registry, repository, tag}`, a volume's `{reference}`, kustomize's `{name, newName}`. */
function imageOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { registry, repository, reference, name, newName } = value as Record<string, unknown>;
  if (typeof repository === 'string')
    return typeof registry === 'string' && registry ? `${registry}/${repository}` : repository;
  if (typeof reference === 'string') return reference;
  if (typeof newName === 'string') return newName;
  return typeof name === 'string' && 'newTag' in value ? name : undefined;
}
