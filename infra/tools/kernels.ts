// npm run build:kernel: AssemblyScript -> WebAssembly -> a module that holds it as text (see
// docs/decisions/0005-kernel.md).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import { parametersSource } from '#train/parameters.ts';

interface Kernel {
  /** The folder of the sources; index.as is the entry. */
  folder: string;
  target: string;
  flags: string[];
  /** Generated sources. */
  made?: Record<string, () => string>;
}

const functions = join(import.meta.dirname, '../../functions');

export const kernels: Record<'train' | 'process' | 'map', Kernel> = {
  train: {
    folder: join(functions, 'train/assembly'),
    target: join(functions, 'train/kernel.wasm.ts'),
    flags: [
      '--importMemory',
      '--sharedMemory',
      '--maximumMemory',
      '65536',
      '--enable',
      'threads',
      '--enable',
      'relaxed-simd',
    ],
    made: { 'parameters.ts': parametersSource },
  },
  process: {
    folder: join(functions, 'process/assembly'),
    target: join(functions, 'process/kernel.wasm.ts'),
    flags: ['--maximumMemory', '65536'],
  },
  map: {
    folder: join(functions, 'core/map/assembly'),
    target: join(functions, 'core/map/kernel.wasm.ts'),
    flags: ['--maximumMemory', '65536'],
  },
};

if (import.meta.main)
  for (const kernel of Object.values(kernels)) writeFileSync(kernel.target, await compileKernel(kernel));

/** The text of the module; throws with the compiler's message if a source does not compile. */
export async function compileKernel({ folder, flags, made = {} }: Kernel): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      ...['index.ts', '--outFile', 'kernel.wasm', '--runtime', 'stub', '-O3', '--noAssert', '--disableWarning', '201'],
      ...['--memoryBase', '4096', '--enable', 'simd', '--enable', 'bulk-memory', ...flags],
    ],
    {
      readFile: (name: string) => {
        if (made[name]) return made[name]();
        try {
          return readFileSync(join(folder, name.replace(/\.ts$/, '.as')), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (_name: string, contents: Uint8Array | string) => {
        binary = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`the kernel does not compile: ${stderr.toString()}`, { cause: error });
  const text = Buffer.from(binary).toString('base64');
  return `// Written by npm run build:kernel from the folder assembly beside it: a test compares the two.\nexport const kernelWasm =\n  '${text}';\n`;
}
