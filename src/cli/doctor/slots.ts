import type { Finding } from './finding.ts';
import type { LockQueue } from './tokens.ts';

/** By doctor itself, which has a lock of its own in every namespace. */
const OWN = /^baton-doctor@/;

/** Clients that disagree on the slots of a namespace do not exclude each other: one name is in two queues then. */
export function slotFindings(queues: readonly LockQueue[]): Finding[] {
  const locks = queues.filter(({ part, lock }) => part === 'lock' && !OWN.test(lock));
  const counts = new Map<string, string>();
  for (const { name } of locks) {
    const [, count] = /\.slot\.\d+-of-(\d+)$/.exec(name) ?? [];
    counts.set(count === undefined ? 'without slots' : `with ${count} slots`, name);
  }
  if (counts.size < 2) return [];
  const ways = [...counts].map(([way, name]) => `${way} (${name})`).join(', ');
  const says = `this namespace has locks ${ways}: callers who do not agree on --slots can hold the same lock at once. Give all of them the same value; then delete the queues of the others while nobody uses them`;
  return [{ check: 'slots', level: 'warning', says }];
}
