import { displayWidth, visible } from './visible.ts';

/** Lines of rows under headings, in columns two spaces apart; the last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows].map((row) => row.map(visible));
  const widths = headings.map((_, column) => Math.max(...all.map((row) => displayWidth(row[column] ?? ''))));
  return all.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell))))
      .join('  ')
      .trimEnd(),
  );
}

/** Lines of names and their values. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): string[] {
  return rows.map(([name, value]) => `${`${name}:`.padEnd(15)}${value}`);
}

/** `2026-03-01 12:00:00Z, 5 min`: a time as it is written in logs, and how long ago it was; `in 5 min` if it is to come. */
export function ago(iso: string | null, nowMs = Date.now()): string {
  if (iso === null) return '?';
  const seconds = Math.round((nowMs - Date.parse(iso)) / 1_000);
  const span = seconds < 0 ? `in ${spanOf(-seconds)}` : spanOf(seconds);
  return `${iso.replace(/\.\d+Z$/, 'Z').replace('T', ' ')}, ${span}`;
}

/** `12 min`: rounded down to a unit that says enough. */
export function spanOf(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
