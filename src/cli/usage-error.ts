/** The command was called in a way that cannot work. Like a faulty configuration it ends the process with exit code 2; all else with 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
