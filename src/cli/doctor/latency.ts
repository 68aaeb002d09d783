import { type Coordinator, isBatonError } from '../../index.ts';
import type { LockSession } from '../../protocol/port.ts';
import type { Finding } from './finding.ts';

const WAIT_MS = 5_000;
const PROOFS = 7;

interface Scene {
  readonly baton: Coordinator;
  readonly session: LockSession;
  readonly lock: string;
  readonly queue: string;
  readonly connectMs: number;
  readonly leaseMs: number;
  readonly removes: boolean;
}

/**
 * Takes, proves and releases a lock of doctor's own, and removes it while it is held, so that no other doctor has it. While a
 * node is away the queue stays: it would be broken on that node afterwards (docs/design/decisions.md).
 */
export async function latencyFindings(scene: Scene): Promise<Finding[]> {
  try {
    return [await measure(scene)];
  } catch (error) {
    if (!isBatonError(error)) throw error;
    if (scene.removes) await scene.session.remove(scene.queue).catch(() => {});
    const says = `a lock of baton doctor's own could not be taken and proven: ${error.message}`;
    return [{ check: 'latency', level: 'problem', says }];
  }
}

async function measure({
  baton,
  session,
  lock,
  queue,
  connectMs,
  leaseMs,
  removes,
}: Scene): Promise<Finding> {
  const scratch = baton.lock(lock);
  await (await scratch.acquire({ timeoutMs: WAIT_MS })).release(); // makes it
  const [acquireMs, lease] = await timed(() => scratch.acquire({ timeoutMs: WAIT_MS }));
  const proofs: number[] = [];
  for (let proof = 0; proof < PROOFS; proof += 1) proofs.push((await timed(() => lease.verify()))[0]);
  const [releaseMs] = await timed(() => lease.release());
  const last = await scratch.acquire({ timeoutMs: WAIT_MS });
  if (removes) await session.remove(queue);
  await last.release();
  const proofMs = proofs.sort((a, b) => a - b)[Math.floor(PROOFS / 2)] ?? 0;
  const shown = Object.entries({ connect: connectMs, acquire: acquireMs, proof: proofMs, release: releaseMs })
    .map(([what, ms]) => `${what} ${ms.toFixed(1)} ms`)
    .join(', ');
  if (proofMs < leaseMs / 10) return { check: 'latency', level: 'ok', says: shown };
  const says = `${shown}: a proof takes more than a tenth of the lease (${leaseMs} ms), so a slow moment can cost a healthy hold`;
  return { check: 'latency', level: 'warning', says };
}

async function timed<T>(work: () => Promise<T>): Promise<[number, T]> {
  const started = performance.now();
  const result = await work();
  return [performance.now() - started, result];
}
