import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const target = join(root, '.cache/cargo');
const built = new Map<string, string | undefined>();

/**
 * Returns the program of bench/rust/NAME, built by cargo into .cache; undefined if it can't be built, which stderr
 * reports once.
 */
export function cargo(name: string): string | undefined {
  if (!built.has(name)) built.set(name, build(name));
  return built.get(name);
}

function build(name: string): string | undefined {
  const manifest = join(import.meta.dirname, 'rust', name, 'Cargo.toml');
  const { status, stderr, error } = spawnSync('cargo', ['build', '--release', '--manifest-path', manifest], {
    encoding: 'utf8',
    // From here up bench/rust/.cargo/config.toml is found.
    cwd: dirname(manifest),
    env: { ...process.env, CARGO_TARGET_DIR: target },
  });
  const program = join(target, 'release', name);
  if (status === 0 && existsSync(program)) return program;
  console.error(
    `the rival in Rust (bench/rust/${name}) is missing: ${error?.message ?? stderr.trim().split('\n').at(-1)}`,
  );
  return undefined;
}
