/**
 * Watches one name for a token that was destroyed (purge, TTL, length or delivery-limit policies, a crash between
 * declare and seed). It belongs to the name and not to an attempt, so short waits heal a lock too. Whoever has a
 * consumer and has seen nothing ready for `healAfterMs` publishes a probe: while the live token exists the probe
 * is inert and expires; if there is none, the active consumer is handed it and looks into the matter.
 */
export interface Vigil {
  /** Contenders of this process that have a place in line, or are taking one. */
  readonly waiters: number;
  readonly lookAt: number | undefined;
  /** Since when every look has shown nothing ready and this process has not seen the token. */
  readonly emptySince: number | undefined;
  /** No second probe before: at most one per process and name at a time. */
  readonly quietUntil: number;
}

export type VigilEvent =
  | { readonly type: 'joined' | 'left' | 'token-seen' | 'wake' }
  | { readonly type: 'looked'; readonly ready: number };

/** How long a probe lives when nobody is handed it: that is, while the live token is held. */
export const PROBE_TTL_MS = 3_000;
const LOOKS_PER_PERIOD = 4;

export const IDLE_VIGIL: Vigil = { waiters: 0, lookAt: undefined, emptySince: undefined, quietUntil: 0 };

/** @param jitter 0 to 1, spreads the looks and probes of a fleet */
export function watch(
  vigil: Vigil,
  event: VigilEvent,
  { nowMono, healAfterMs, jitter }: { nowMono: number; healAfterMs: number; jitter: number },
): readonly [Vigil, 'look' | 'probe' | undefined] {
  const nextLook = nowMono + (healAfterMs / LOOKS_PER_PERIOD) * (0.75 + jitter / 2);
  switch (event.type) {
    case 'joined':
      return [{ ...vigil, waiters: vigil.waiters + 1, lookAt: vigil.lookAt ?? nextLook }, undefined];
    case 'left':
      return [{ ...vigil, waiters: vigil.waiters - 1 }, undefined];
    case 'token-seen':
      return [{ ...vigil, emptySince: undefined }, undefined];
    case 'wake':
      if (vigil.waiters === 0 || vigil.lookAt === undefined || nowMono < vigil.lookAt)
        return [vigil, undefined];
      return [{ ...vigil, lookAt: nextLook }, 'look'];
    case 'looked': {
      if (event.ready > 0) return [{ ...vigil, emptySince: undefined }, undefined];
      const emptySince = vigil.emptySince ?? nowMono;
      const due = vigil.waiters > 0 && nowMono - emptySince >= healAfterMs && nowMono >= vigil.quietUntil;
      if (!due) return [{ ...vigil, emptySince }, undefined];
      return [{ ...vigil, emptySince, quietUntil: nowMono + PROBE_TTL_MS + healAfterMs * jitter }, 'probe'];
    }
  }
}

/** When the vigil wants its next `wake`, or undefined while nobody waits. */
export function vigilWakeAt(vigil: Vigil): number | undefined {
  return vigil.waiters > 0 ? vigil.lookAt : undefined;
}
