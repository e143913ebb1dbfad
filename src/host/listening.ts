import { type Address, formatAddress } from '../core/address.js';
import { AigesError } from '../core/errors.js';

/**
 * Says of a failed `listen` which key of the configuration it is about.
 * @throws AigesError `initFailed`
 */
export async function listening<T>(listen: Promise<T>, what: string, address: Address | null): Promise<T> {
  try {
    return await listen;
  } catch (error) {
    // It says itself what is wrong, and it is not the address.
    if (error instanceof AigesError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const where = address === null ? '' : formatAddress(address);
    const why =
      code === 'EADDRINUSE'
        ? 'the port is in use; choose another one, or 0 for any free one'
        : code === 'EADDRNOTAVAIL'
          ? 'this machine does not have that address'
          : code === 'EACCES'
            ? 'not permitted; ports below 1024 need a privileged user'
            : (error as Error).message;
    const key = what === 'HTTP' ? '[http].listen' : 'host and port of the service section';
    throw new AigesError('initFailed', {
      message: `cannot listen for ${what} on ${where}: ${why} (${key})`,
      cause: error,
    });
  }
}

/**
 * Says the same of the Unix socket.
 * @throws AigesError `initFailed`
 */
export async function listeningUnix(listen: Promise<void>, path: string): Promise<void> {
  try {
    await listen;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'EADDRINUSE'
        ? 'another process listens there, or it is no socket; choose another path'
        : code === 'ENOENT' || code === 'EACCES'
          ? 'its folder does not exist, or this user may not write to it; choose another one'
          : (error as Error).message;
    throw new AigesError('initFailed', {
      message: `cannot listen for gRPC on ${path}: ${why} ([grpc].unix)`,
      cause: error,
    });
  }
}
