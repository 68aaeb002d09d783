import { run } from '../../test/support/broker/run.ts';

/** TCP segments with data so far, both ways, on all open connections of a server: the same measure for every protocol. */
export async function messagesOn(urls: readonly string[]): Promise<number> {
  const ports = urls.map((url) => /:(\d+)(?:\/|$)/.exec(url)?.[1]).filter((port) => port !== undefined);
  const filter = ports.flatMap((port) => ['sport', '=', `:${port}`, 'or', 'dport', '=', `:${port}`, 'or']);
  const text = await run(['ss', '-tinH', '(', ...filter.slice(0, -1), ')']);
  // On loopback both ends are in the list, each with what it has sent.
  return [...text.matchAll(/\bdata_segs_out:(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
