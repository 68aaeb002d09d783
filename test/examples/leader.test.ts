import { expect, onTestFinished, test } from 'vitest';
import { deleteLocks, startExample, unique } from './start.ts';

interface Line {
  readonly pid: number;
  readonly waits?: true;
  readonly leads?: true;
  readonly fence?: string;
  readonly sent?: number;
}

test('one leads; when it is killed or stopped the one that waited longest leads, with a higher fence', async () => {
  const lock = unique('leader');
  onTestFinished(() => deleteLocks([lock]));
  const start = async () => {
    const program = startExample('leader.ts', { LOCK: lock });
    await program.next(({ waits }: Line) => waits === true);
    return program;
  };
  const led = ({ leads }: Line) => leads === true;
  const first = await start();
  const one = await first.next<Line>(led);
  const second = await start();
  const third = await start();
  await first.next(({ sent }: Line) => sent !== undefined);
  expect(second.stdout + third.stdout, 'the others wait').not.toContain('leads');

  await first.kill('SIGKILL');
  const others = [second, third].map((program) => ({
    program,
    leads: program.next<Line>(led, { timeoutMs: 30_000 }),
  }));
  const two = await Promise.race(others.map(({ leads }) => leads));
  const [next, last] = others.toSorted((one) => (one.program.pid === two.pid ? -1 : 1));
  expect(await next?.program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const three = await last?.leads;
  const fences = [one, two, three].map((line) => BigInt(line?.fence ?? 0));
  expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)));
  expect(new Set(fences).size).toBe(3);
  expect(await last?.program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});
