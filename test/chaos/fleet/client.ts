/** What a worker needs of a lock, whichever build it is. */
export interface Hold {
  /** Decimal digits. */
  readonly fence: string;
  /** Throws when the hold is lost, as far as this process knows. */
  throwIfLost(): void;
  /** Calls back once with the reason when the hold is lost before it is released. */
  onLost(callback: (reason: string) => void): void;
  release(): Promise<void>;
}

export interface Wait {
  /** 0: a try. Absent: without end. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface LockClient {
  /** Undefined when somebody else holds the lock (a try only). Rejects for every other end without a hold. */
  acquire(lock: string, wait: Wait): Promise<Hold | undefined>;
  close(): Promise<void>;
}
