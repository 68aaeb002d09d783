import type { Results } from '../sample.ts';
export async function writeReport(
  _results: Results,
  _options: { out?: string | undefined; docs: boolean },
  _log: (line: string) => void,
): Promise<void> {}
