/** One process of the fleet: contends for every lock at once, and writes down what it does. Settings in `WORKER`. */
import { openBaton } from './baton-client.ts';
import { Contender, type Surroundings } from './contender.ts';
import { FencedSets } from './fenced-set.ts';
import { FileSet } from './file-set.ts';
import { Journal } from './journal.ts';
import { openNaive } from './naive-client.ts';
import { type Proof, watchProofs } from './proofs.ts';
import { queueOf } from './queues.ts';
import { randomFrom } from './random.ts';
import type { ToWorker, WorkerSettings } from './settings.ts';

const MINT_TIMEOUT_MS = 10_000;

const settings = JSON.parse(process.env.WORKER ?? '{}') as WorkerSettings;
const { who, build } = settings;
const journal = new Journal(settings.journal);
const crashed = (error: unknown) => {
  journal.write({
    type: 'crashed',
    who,
    error: error instanceof Error ? String(error.stack) : String(error),
  });
};
process.on('uncaughtException', crashed);
process.on('unhandledRejection', crashed);
process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the parent says when to leave

const random = randomFrom(settings.seed);
const store = new FencedSets(settings.store);
const proofs = new Map<string, Proof>();
const contenders = new Map<string, Contender>();
const asleep = new Set<number>();
const leaving = new AbortController();
let holdMs: number | undefined;

watchProofs((proof) => {
  proofs.set(proof.queue, proof);
  contenders.get(proof.queue)?.proven(proof);
});
journal.write({ type: 'started', who, pid: process.pid, build });
const opening = build === 'baton' ? openBaton(settings) : openNaive(settings);

process.on('message', (message: ToWorker) => {
  switch (message.do) {
    case 'mint':
      void opening.then((client) => contenderFor(message.lock, client).turn({ timeoutMs: MINT_TIMEOUT_MS }));
      return;
    case 'hold':
      holdMs = message.ms;
      return;
    case 'wake-later':
      asleep.add(message.pid);
      return;
    case 'leave':
      void leave();
  }
});
process.on('disconnect', () => {
  for (const pid of asleep) {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It is gone already.
    }
  }
  process.exit();
});

const client = await opening;
await Promise.all(settings.locks.map((lock) => contenderFor(lock, client).run(leaving.signal)));

function contenderFor(lock: string, client: Surroundings['client']): Contender {
  const queue = queueOf(build, lock);
  const known = contenders.get(queue);
  if (known !== undefined) return known;
  const contender = new Contender(lock, {
    who,
    client,
    journal,
    store,
    files: new FileSet(settings.sets, lock),
    random,
    lastProof: () => proofs.get(queue),
    takeHoldMs: () => {
      const ms = holdMs;
      holdMs = undefined;
      return ms;
    },
  });
  contenders.set(queue, contender);
  return contender;
}

async function leave(): Promise<void> {
  leaving.abort();
  await (await opening).close();
  journal.write({ type: 'stopped', who });
  process.exit();
}
