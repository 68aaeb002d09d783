/**
 * Watches one name for a token that was destroyed (purge, TTL, length or delivery-limit policies, a crash between
 * declare and seed). It belongs to the name and not to an attempt, so short waits heal a lock too. A client
 * that has a consumer and has seen nothing ready for `healAfterMs` publishes a probe: while the live token exists the
 * probe is inert and expires; if there is none, the broker hands it to the active consumer, which inspects the queue.
 */
export interface TokenWatch {
  /** Contenders of this process that have a place in line, or are taking one. */
  readonly waiters: number;
  readonly lookAt: number | undefined;
  /** Since when every look has shown nothing ready and this process has not seen the token. */
  readonly emptySince: number | undefined;
  /** No second probe before: at most one per process and name at a time. */
  readonly quietUntil: number;
}

export type TokenWatchEvent =
  | { readonly type: 'joined' | 'left' | 'token-seen' | 'wake' }
  | { readonly type: 'looked'; readonly ready: number };

/** How long a probe lives when nobody is handed it: that is, while the live token is held. */
export const PROBE_TTL_MS = 3_000;
const LOOKS_PER_PERIOD = 4;

export const IDLE_WATCH: TokenWatch = { waiters: 0, lookAt: undefined, emptySince: undefined, quietUntil: 0 };

/** @param jitter 0 to 1, spreads the looks and probes of a fleet */
export function watch(
  state: TokenWatch,
  event: TokenWatchEvent,
  { nowMono, healAfterMs, jitter }: { nowMono: number; healAfterMs: number; jitter: number },
): readonly [TokenWatch, 'look' | 'probe' | undefined] {
  const nextLook = nowMono + (healAfterMs / LOOKS_PER_PERIOD) * (0.75 + jitter / 2);
  switch (event.type) {
    case 'joined':
      return [{ ...state, waiters: state.waiters + 1, lookAt: state.lookAt ?? nextLook }, undefined];
    case 'left':
      return [{ ...state, waiters: state.waiters - 1 }, undefined];
    case 'token-seen':
      return [state.emptySince === undefined ? state : { ...state, emptySince: undefined }, undefined];
    case 'wake':
      if (state.waiters === 0 || state.lookAt === undefined || nowMono < state.lookAt)
        return [state, undefined];
      return [{ ...state, lookAt: nextLook }, 'look'];
    case 'looked': {
      if (event.ready > 0) return [{ ...state, emptySince: undefined }, undefined];
      const emptySince = state.emptySince ?? nowMono;
      const due = state.waiters > 0 && nowMono - emptySince >= healAfterMs && nowMono >= state.quietUntil;
      if (!due) return [{ ...state, emptySince }, undefined];
      return [{ ...state, emptySince, quietUntil: nowMono + PROBE_TTL_MS + healAfterMs * jitter }, 'probe'];
    }
  }
}

/** When the state wants its next `wake`, or undefined while nobody waits. */
export function watchWakeAt(state: TokenWatch): number | undefined {
  return state.waiters > 0 ? state.lookAt : undefined;
}
