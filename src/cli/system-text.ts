import { getSystemErrorMap } from 'node:util';

/** What the system means by an error's code: `no such file or directory (ENOENT)`; any other text as it is. */
export function systemText(code: string): string {
  for (const [name, text] of getSystemErrorMap().values()) if (name === code) return `${text} (${code})`;
  return code;
}
