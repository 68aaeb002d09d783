import { mkdtempSync, rmSync } from 'node:fs';
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Edit } from './mutant.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What the contract needs. Not vitest.config.ts: without it no run starts a broker of its own. */
const NEEDED = ['src', 'test', 'package.json', 'tsconfig.json'];

/** Copies of the repository in a temporary folder that is gone when this process is. */
export class Copies {
  readonly #folder = mkdtempSync(join(tmpdir(), 'baton-mutation-'));
  #count = 0;

  constructor() {
    process.on('exit', () => rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 }));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  }

  /** A copy of `from`, with these edits. The files may be in use by others: only the first copy is of the repository. */
  async make(from: string, edits: readonly Edit[]): Promise<string> {
    this.#count += 1;
    const copy = join(this.#folder, String(this.#count));
    for (const name of NEEDED) await cp(join(from, name), join(copy, name), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    for (const { file, find, replace } of edits) {
      const text = await readFile(join(copy, file), 'utf8');
      await writeFile(join(copy, file), text.split(find).join(replace));
    }
    return copy;
  }

  async remove(copy: string): Promise<void> {
    rmSync(join(this.#folder, basename(copy)), { recursive: true, force: true });
  }
}

/** Why these edits cannot be applied to the files in `folder`, one sentence each; empty when they can. */
export async function misfits(folder: string, edits: readonly Edit[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { file, find } of edits) {
    const text = await readFile(join(folder, file), 'utf8').catch(() => '');
    const times = text.split(find).length - 1;
    if (times !== 1) problems.push(`${file} has this ${times} times instead of once: ${find}`);
  }
  return problems;
}
