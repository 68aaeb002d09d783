/** The command line or the environment cannot be used as it is; the message says which part, and what is expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
