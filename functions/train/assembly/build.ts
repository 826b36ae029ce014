// npm run build:kernel: AssemblyScript -> WebAssembly -> functions/train/kernel.wasm.ts (see docs/decisions/0005-kernel.md).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileKernel } from './compile.ts';

const target = join(import.meta.dirname, '..', 'kernel.wasm.ts');
const text = await compileKernel();
if (readFileSync(target, 'utf8') !== text) writeFileSync(target, text);
