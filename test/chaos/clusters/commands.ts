import type { Finding } from '../../../src/cli/doctor/finding.ts';
import { startProgram } from '../../support/processes.ts';
import type { Site } from '../site/index.ts';

const COMMAND = new URL('../../../src/cli/main.ts', import.meta.url);
export async function baton(site: Site, ...args: string[]) {
  const env = { BATON_URL: site.nodes[0]?.url, BATON_MANAGEMENT_URL: undefined };
  const program = startProgram(COMMAND, { args, env });
  const { code } = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** The code, and what wants something done, of one check if it is given. */
export async function doctor(
  site: Site,
  check?: string,
  ...args: string[]
): Promise<{ code: number | null; worries: Finding[] }> {
  const { code, stdout } = await baton(site, 'doctor', '--json', ...args);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  const worries = findings.filter(({ level }) => level === 'warning' || level === 'problem');
  return { code, worries: worries.filter((it) => check === undefined || it.check === check) };
}
