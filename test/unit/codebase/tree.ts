import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** A text file of the repository; `path` is relative to its root, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** As written for packages, resolved to a path of the repository for relative ones. */
  readonly target: string;
  /** Nothing of it is left in the JavaScript. */
  readonly typeOnly: boolean;
}

const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git']);

/** Every file below the named files and folders of the repository, whose path passes `accept`. */
export function filesOf(names: readonly string[], accept = (_path: string) => true): SourceFile[] {
  return names.filter((name) => existsSync(join(ROOT, name))).flatMap((name) => walk(name, accept));
}

export const sourceFiles = () => filesOf(['src'], (path) => path.endsWith('.ts'));
export const testFiles = () => filesOf(['test'], (path) => path.endsWith('.ts'));

function walk(path: string, accept: (path: string) => boolean): SourceFile[] {
  const entries = readDirectory(path);
  if (entries === undefined)
    return accept(path) ? [{ path, text: readFileSync(join(ROOT, path), 'utf8') }] : [];
  return entries.flatMap((entry) => (NOT_OURS.has(entry) ? [] : walk(posix.join(path, entry), accept)));
}

function readDirectory(path: string): string[] | undefined {
  try {
    return readdirSync(join(ROOT, path)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The text without comments. `//` counts after white space only, so that URLs in strings survive. */
export function code({ text }: SourceFile): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** What a file imports or re-exports, statically or not. */
export function importsOf(file: SourceFile): Import[] {
  const text = code(file);
  const statements = text.matchAll(/^\s*(?:import|export)\s([^;'"]*?)\s*from\s*['"]([^'"]+)['"]/gm);
  const calls = text.matchAll(/\b(?:import|require)\s*(?:\(\s*)?['"]([^'"]+)['"]/g);
  return [
    ...[...statements].map(([, names = '', from = '']) => ({ from, typeOnly: isTypeOnly(names) })),
    ...[...calls].map(([, from = '']) => ({ from, typeOnly: false })),
  ].map(({ from, typeOnly }) => ({ target: resolve(file.path, from), typeOnly }));
}

function isTypeOnly(names: string): boolean {
  if (/^type\s/.test(names)) return true;
  const listed = /^\{([^}]*)\}$/.exec(names)?.[1];
  return listed?.split(',').every((name) => name.trim() === '' || /^type\s/.test(name.trim())) ?? false;
}

function resolve(importer: string, from: string): string {
  return from.startsWith('.') ? posix.join(posix.dirname(importer), from) : from;
}
