/**
 * Settles as `work` does, or rejects with the signal's reason when that aborts first: then `giveUp` is called, and what
 * becomes of `work` is of no interest.
 */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  giveUp: () => void,
): Promise<T> {
  work.catch(() => {});
  if (signal.aborted) {
    giveUp();
    throw signal.reason;
  }
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      giveUp();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
