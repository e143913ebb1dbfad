/** The command was called in a way that cannot work. The process ends with exit code 2, others with 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
