/**
 * Runs the suites, several side by side, each lane in order. What a suite prints is shown when it has failed.
 *
 *     npm test               checks, build, and the suites that every commit has to pass
 *     npm run test:all       all the others
 *     npm test -- cli unit   only these
 *
 * With BATON_URL there is one broker, and tests that restart it or raise an alarm: then one suite runs after the other.
 */
import { parseArgs } from 'node:util';
import { runLanes } from './lanes.ts';
import { FAST, REST, type Suite } from './suites.ts';

const { values, positionals } = parseArgs({
  options: { all: { type: 'boolean', default: false } },
  allowPositionals: true,
});

const isChosen = ({ name }: Suite) => positionals.length === 0 || positionals.includes(name);
const table = values.all ? REST : FAST;
const lanes = table.map((lane) => lane.filter(isChosen)).filter((lane) => lane.length > 0);
const known = table.flat().map(({ name }) => name);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0)
  throw new Error(`no such suite: ${unknown.join(', ')}; there are ${known.join(', ')}`);
process.exitCode = await runLanes(process.env.BATON_URL ? [lanes.flat()] : lanes);
