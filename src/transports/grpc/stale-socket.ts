import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/** Removes a socket file that nobody answers at: it is left over from a process that has died. */
export async function removeStaleSocket(path: string): Promise<void> {
  const file = await lstat(path).catch(() => null);
  if (file?.isSocket() === true && (await isRefused(path))) await unlink(path);
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED');
    });
  });
}
