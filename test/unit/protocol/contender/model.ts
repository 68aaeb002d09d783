import fc from 'fast-check';
import type { Rules } from '../../../../src/protocol/contender/types.ts';
import { recreation } from '../../../../src/protocol/queues.ts';
import { answer, type Command, carryOut, close, command, passUntilDue } from './commands.ts';
import type { Queue } from './messages.ts';
import { newProcess, type Process, rule } from './process.ts';
import { WatchedContender } from './world.ts';

const rules = fc.record<Partial<Rules>>({
  mode: fc.constantFrom('wait', 'wait', 'try'),
  grant: fc.constantFrom('auto', 'verified', 'immediate'),
});
/** What a broker of version 4 and one of version 3 ask for, and either with a longer pause. */
const recreations = fc.constantFrom(
  recreation(4),
  recreation(3),
  { recreateAfterMs: 250, looksFirst: false },
  { recreateAfterMs: 250, looksFirst: true },
);
/** On a broker that counts all returns alike, and on one that counts nacks apart. */
const queues = fc.constantFrom<Queue>(
  { base: 1_000n, returns: 0, nacked: undefined },
  { base: 1_000n, returns: 0, nacked: 0 },
);
const commands = fc.array(command, { maxLength: 60, size: 'max' });

/** What the runs have met, so that a property that tests nothing is noticed. */
export class Met {
  grants = 0;
  refusals = 0;
  losses = 0;
  releases = 0;
  contenders = 0;
  delays = 0;

  count(who: WatchedContender): void {
    this.contenders += 1;
    this.grants += who.granted.length;
    this.delays += who.delayedGrants;
    this.refusals += who.refusals;
    this.losses += who.losses;
    this.releases += who.state.at === 'released' && who.granted.length === 1 ? 1 : 0;
  }
}

/** Ends every contender, with a broker that answers everything, and demands that nothing is left. */
function drain(who: WatchedContender, process: Process): void {
  if (who.state.at !== 'closing') who.feed({ type: 'shutdown' });
  for (let turns = 0; turns < 60 && !who.isOver; turns++) {
    if (who.state.at === 'replacing' && who.state.phase === 'arriving') who.feed({ type: 'shutdown' });
    // A seed that failed is tried again after a while.
    const rests = who.state.at === 'replacing' && who.calls.length === 0;
    if (who.state.at === 'closing' || rests) passUntilDue(who, process, 0);
    const call = who.calls[0];
    if (call !== undefined) answer(who, call, { ready: 0, consumers: 0 });
    for (const [channelId, is] of who.lines) if (is === 'closing') close(who, channelId, 'orderly');
  }
  rule(who.isOver, `stuck in ${who.state.at} although the broker has answered everything`);
}

/** @param first what happens before anything random, to reach a rare place surely */
export function oneContender(met: Met, first: readonly Command[] = []) {
  return fc.property(
    rules,
    fc.boolean(),
    queues,
    recreations,
    commands,
    (changes, known, like, pause, list) => {
      const process = newProcess(pause);
      const who = new WatchedContender(process, changes);
      const queue: Queue = { ...like };
      who.feed({ type: 'start', known });
      for (const todo of [...first, ...list]) carryOut(todo, who, process, queue);
      met.count(who);
      drain(who, process);
      const end = who.state;
      for (const todo of list.slice(0, 5)) carryOut(todo, who, process, queue);
      rule(who.state === end, 'something was left to happen after the end');
    },
  );
}

export function severalContenders(met: Met) {
  const epoch = fc.tuple(fc.nat(2), command);
  const turns = fc.array(epoch, { maxLength: 60, size: 'max' });
  const several = fc.array(rules, { minLength: 2, maxLength: 3 });
  return fc.property(several, queues, recreations, turns, (all, like, pause, list) => {
    const process = newProcess(pause);
    const queue: Queue = { ...like };
    const contenders = all.map((changes) => new WatchedContender(process, changes));
    for (const who of contenders) who.feed({ type: 'start', known: true });
    for (const [pick, todo] of list) {
      const who = contenders[pick % contenders.length];
      if (who !== undefined) carryOut(todo, who, process, queue);
    }
    for (const who of contenders) {
      met.count(who);
      drain(who, process);
    }
  });
}
