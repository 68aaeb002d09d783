import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** How a program ended, with what it printed. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Rejects if the program is not over after `limitMs`; it is killed then. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  limitMs = 170_000,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const options = { cwd, timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else if (error.killed)
        reject(new Error(`${command} ${args.join(' ')} was not over after ${limitMs} ms`));
      else reject(error);
    });
  });
}

/** Like `run`, for programs that have no reason to fail. */
export async function mustRun(...call: Parameters<typeof run>): Promise<string> {
  const [command, args] = call;
  const { code, stdout, stderr } = await run(...call);
  if (code === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
}

/** The package as users get it: packed, and installed in an otherwise empty project. */
export class PackedPackage {
  readonly tarball: string;
  /** A project that has nothing but this package. */
  readonly project: string;
  readonly #folder: string;

  private constructor(folder: string, tarball: string) {
    this.#folder = folder;
    this.tarball = join(folder, tarball);
    this.project = join(folder, 'project');
  }

  static async make(): Promise<PackedPackage> {
    const folder = await mkdtemp(join(tmpdir(), 'batonmq-package-'));
    try {
      // Runs prepack, and so the build.
      await mustRun('npm', ['pack', '--pack-destination', folder], ROOT);
      const [tarball, ...others] = await readdir(folder);
      if (tarball === undefined || others.length > 0)
        throw new Error(`npm pack made ${others.length + 1} files`);
      const packed = new PackedPackage(folder, tarball);
      await packed.#install();
      return packed;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async #install(): Promise<void> {
    await mkdir(this.project);
    await this.write('package.json', JSON.stringify({ name: 'user', private: true, type: 'module' }));
    const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--omit=dev'];
    await mustRun('npm', ['install', this.tarball, ...quiet], this.project);
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.project, name), text);
  }

  /** Paths in the tarball, without the `package/` that all of them begin with. */
  async files(): Promise<string[]> {
    const listed = await mustRun('tar', ['-tzf', this.tarball], ROOT);
    return listed
      .split('\n')
      .filter((line) => line !== '' && !line.endsWith('/'))
      .map((line) => line.replace(/^package\//, ''));
  }

  /** The text of an installed file. */
  read(path: string): Promise<string> {
    return readFile(join(this.project, 'node_modules/batonmq', path), 'utf8');
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
