// Images built and run here: podman and buildah with their own storage, on base images made from this machine's files.
// No image registry is needed.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The definition of a service in compose.yaml, as `docker-compose config` resolves it. */
export interface Service {
  image: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  tmpfs?: string[];
  volumes?: string[];
  environment: Record<string, string>;
}

export interface Containers {
  podman(...args: string[]): Promise<string>;
  build(...args: string[]): Promise<string>;
  /** Makes an image from programs of this machine, with the libraries they load. */
  base(
    name: string,
    files: Record<string, string>,
    more: (folder: string) => void,
    instructions: string,
  ): Promise<void>;
  /**
   * The arguments of `podman run` for a service: in the host's network, since a separate one needs rights that CI may
   * lack.
   */
  argumentsOf(name: string, service: Service): string[];
  remove(): Promise<void>;
}

export function containers(folder: string): Containers {
  const store = ['--storage-driver', 'vfs', '--root', join(folder, 'storage'), '--runroot', join(folder, 'run')];
  const call = async (program: string, args: string[]) =>
    (await run(program, [...store, ...args], { maxBuffer: 1e8 })).stdout;
  const podman = (...args: string[]) => call('podman', ['--runtime', 'runc', '--cgroup-manager', 'cgroupfs', ...args]);
  const build = (...args: string[]) =>
    call('buildah', ['build', '--isolation', 'chroot', '--format', 'docker', ...args]);
  return {
    podman,
    build,
    async base(name, files, more, instructions) {
      const place = join(folder, name);
      const copy = (file: string, to: string) => {
        mkdirSync(dirname(join(place, to)), { recursive: true });
        cpSync(realpathSync(file), join(place, to), { recursive: true, dereference: true });
      };
      for (const [file, to] of Object.entries(files)) {
        copy(file, to);
        for (const library of librariesOf(file)) if (!existsSync(join(place, library))) copy(library, library);
      }
      mkdirSync(join(place, 'etc'), { recursive: true });
      writeFileSync(join(place, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
      mkdirSync(join(place, 'tmp'));
      chmodSync(join(place, 'tmp'), 0o1777);
      more(place);
      writeFileSync(`${place}.file`, `FROM scratch\nCOPY . /\n${instructions}`);
      await build('-t', name, '-f', `${place}.file`, place);
    },
    argumentsOf: (
      name,
      { image, read_only, cap_drop = [], security_opt = [], tmpfs = [], volumes = [], environment },
    ) => [
      ...['--name', name, '--network', 'host', '--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096'],
      ...(read_only ? ['--read-only', '--read-only-tmpfs=false'] : []),
      ...cap_drop.map((one) => `--cap-drop=${one}`),
      ...security_opt.map((one) => `--security-opt=${one}`),
      ...tmpfs.map((one) => `--tmpfs=${one}`),
      ...volumes.map((one) => `--volume=${one.replace(/:rw$/, '')}`),
      ...Object.entries(environment).map(([key, value]) => `--env=${key}=${value}`),
      image,
    ],
    async remove() {
      await podman('rm', '--all', '--force', '--volumes', '--time', '0');
    },
  };
}

/** The libraries that the loader finds for a program; none for a script or a statically linked one. */
function librariesOf(file: string): string[] {
  try {
    return [...execFileSync('ldd', [realpathSync(file)], { encoding: 'utf8', stdio: 'pipe' }).matchAll(/\/\S+/g)].map(
      ([library]) => library,
    );
  } catch {
    return [];
  }
}
