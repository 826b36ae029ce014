import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import { parametersSource } from '../parameters.ts';

/** The text of functions/train/kernel.wasm.ts; throws with the compiler's words when a source does not compile. */
export async function compileKernel(): Promise<string> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      ...['index.ts', '--outFile', 'als.wasm', '--runtime', 'stub', '-O3', '--noAssert', '--disableWarning', '201'],
      ...['--importMemory', '--sharedMemory', '--maximumMemory', '65536', '--memoryBase', '4096'],
      ...['--enable', 'simd', '--enable', 'threads', '--enable', 'bulk-memory'],
    ],
    {
      readFile: (name: string) => {
        if (name === 'parameters.ts') return parametersSource();
        try {
          return readFileSync(join(import.meta.dirname, name.replace(/\.ts$/, '.as')), 'utf8');
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
  return `// Written by npm run build:kernel from functions/train/assembly: a test compares the two.\nexport const kernelWasm =\n  '${text}';\n`;
}
