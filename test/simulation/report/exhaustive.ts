import type { Config } from '../config.ts';
import { type Bounds, explore, retell } from '../explore/exhaustive.ts';
import { printTable, type Rows } from './table.ts';

/** Prints one line for each small world, and the shortest way to a violation. `holds` is false when there is one. */
export function runExhaustive(
  cases: readonly (readonly [Config, Bounds])[],
  trace: boolean,
): { holds: boolean; rows: Rows } {
  console.log('exhaustive: every order of events');
  const rows: (string | number)[][] = [
    [
      'world',
      'states',
      'transitions',
      'depth',
      'ends',
      'complete',
      'seconds',
      'ends of promises that were met',
    ],
  ];
  let holds = true;
  for (const [config, bounds] of cases) {
    const began = performance.now();
    const found = explore(config, bounds, (states) => console.log(`  ${config.name}: ${states} states …`));
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    const met = Object.entries(found.exceptions).map(([name, times]) => `${name}: ${times}`);
    const complete = found.violation === undefined && found.complete ? 'yes' : 'no';
    rows.push([
      config.name,
      found.states,
      found.transitions,
      found.depth,
      found.ends,
      complete,
      seconds,
      met.join('; '),
    ]);
    if (found.violation === undefined) continue;
    holds = false;
    console.log(
      `VIOLATION in world "${config.name}", after ${found.trace.length} steps: ${found.violation.message}`,
    );
    if (trace) console.log(retell(config, found.trace).join('\n'));
    else
      console.log(
        `  the way there: npm run test:simulation -- --mode exhaustive --config '${config.name}' --trace`,
      );
  }
  printTable(rows);
  return { holds, rows };
}
