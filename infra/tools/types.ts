// The types of the installed library: the construct's declaration as tsc writes it, and the settings written out from
// their schema with what docs/settings.md says of each, so that an app needs only CDK to use them.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { schema } from '#settings/schema.ts';

const root = join(import.meta.dirname, '../..');

/** The part of JSON Schema that zod produces for the settings. */
interface Shape {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Shape[];
  oneOf?: Shape[];
  items?: Shape;
  properties?: Record<string, Shape>;
  required?: string[];
  additionalProperties?: Shape | boolean;
  description?: string;
  default?: unknown;
  takes?: string;
}

/** The interface `Settings`. */
function settingsType(): string {
  return `export interface Settings ${typeText(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape, '')}`;
}

function typeText(shape: Shape, indent: string): string {
  const { type, anyOf, oneOf, items, properties, additionalProperties } = shape;
  const several = anyOf ?? oneOf;
  if (several) return several.map((one) => typeText(one, indent)).join(' | ');
  if (shape.enum) return shape.enum.map((value) => JSON.stringify(value)).join(' | ');
  if ('const' in shape) return JSON.stringify(shape.const);
  if (type === 'array') return `(${typeText(items ?? {}, indent)})[]`;
  if (type === 'object' && properties) return objectText(shape, `${indent}  `, indent);
  if (type === 'object' && typeof additionalProperties === 'object')
    return `Record<string, ${typeText(additionalProperties, indent)}>`;
  if (type === 'string' || type === 'number' || type === 'boolean') return type;
  throw new Error(`no type is known for the setting ${JSON.stringify(shape)}`);
}

function objectText({ properties = {}, required = [] }: Shape, indent: string, outer: string): string {
  const lines = Object.entries(properties).map(([name, shape]) => {
    const { description, takes, default: standard } = shape;
    const says = [
      description,
      takes && `Takes ${takes}.`,
      standard !== undefined && `Default ${JSON.stringify(standard)}.`,
    ];
    const text = says.filter(Boolean).join(' ').replaceAll('*/', '* /');
    const comment = text === '' ? '' : `${indent}/** ${text} */\n`;
    return `${comment}${indent}${name}${required.includes(name) ? '' : '?'}: ${typeText(shape, indent)};`;
  });
  return `{\n${lines.join('\n')}\n${outer}}`;
}

/** The declaration of a file's exports, as a single file. */
export function typesOf(file: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-types-'));
  try {
    const options = {
      ...{ noEmit: false, declaration: true, emitDeclarationOnly: true, outDir: join(folder, 'out') },
      ...{ rootDir: root, typeRoots: [join(root, 'node_modules/@types')] },
    };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions: options, include: [], files: [file] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'inherit' });
    const written = readFileSync(join(folder, 'out/infra', basename(file).replace(/ts$/, 'd.ts')), 'utf8');
    const lines = written.split('\n').filter((line) => !line.includes("'#settings/schema.ts'"));
    return `${lines.join('\n')}\n${settingsType()}\n`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
