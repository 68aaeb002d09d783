import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The first row is the head. */
export type Rows = readonly (readonly (string | number)[])[];

export const EVIDENCE = fileURLToPath(new URL('../../../evidence/simulation', import.meta.url));

/** Columns as wide as their widest cell; numbers to the right. */
export function printTable(rows: Rows): void {
  const widths = widthsOf(rows);
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      typeof cell === 'number' ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
    );
    console.log(`  ${cells.join('  ')}`.trimEnd());
  }
}

/** Writes a page with one table into evidence/simulation. */
export async function writePage(name: string, head: string, rows: Rows): Promise<void> {
  const widths = widthsOf(rows);
  const lines = rows.map(
    (row) => `| ${row.map((cell, i) => String(cell).padEnd(widths[i] ?? 0)).join(' | ')} |`,
  );
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  await mkdir(EVIDENCE, { recursive: true });
  await writeFile(join(EVIDENCE, name), `${head}\n\n${lines.join('\n')}\n`);
}

const widthsOf = (rows: Rows): number[] =>
  rows[0]?.map((_, i) => Math.max(...rows.map((row) => String(row[i] ?? '').length))) ?? [];
