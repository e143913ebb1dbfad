import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How far the start has come, in the words of the original. */
export type Phase = 'xsf_initializing' | 'user_initializing' | 'xsf_done';

/**
 * Makes the function that notes how far the start has come: deployments of the original wait for `xsf_done` in
 * `xsf_status/recording`.
 * @param directory the working directory
 * @param warn told once when it cannot be written, which changes nothing else
 */
export function createRecording(directory: string, warn: (text: string) => void): (phase: Phase) => void {
  const folder = join(directory, 'xsf_status');
  let broken = false;
  return (phase) => {
    if (broken) return;
    try {
      mkdirSync(folder, { recursive: true });
      // Whoever polls the file finds one phase or the other, never half of one.
      writeFileSync(join(folder, 'recording.new'), phase);
      renameSync(join(folder, 'recording.new'), join(folder, 'recording'));
    } catch (error) {
      broken = true;
      warn(
        `xsf_status/recording cannot be written, and whoever waits for it will not see the start: ${(error as Error).message}`,
      );
    }
  };
}
