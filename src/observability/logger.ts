import { destination, type DestinationStream, pino, type Logger } from 'pino';
import { LogFile, type LogFileOptions } from './log-file.js';

export type { Logger };
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  readonly level: LogLevel;
  /** `null`: standard error. */
  readonly file: LogFileOptions | null;
}

/** A log and the end of it. */
export interface OpenLog {
  readonly log: Logger;
  /** Resolves when every line is where it belongs. Lines after it are dropped. */
  close(): Promise<void>;
}

/**
 * Opens the log of a process.
 * @param tell told, in a sentence, when a file takes no more lines, and when it does again
 * @throws AigesError `initFailed` for a file that cannot be written
 */
export async function openLog({ level, file }: LogOptions, tell: (text: string) => void): Promise<OpenLog> {
  if (file === null) return { log: createLogger(level), close: () => Promise.resolve() };
  const opened = await LogFile.open(file, { tell });
  return { log: createLogger(level, opened), close: () => opened.close() };
}

/**
 * Makes a log: JSON lines, on standard error unless told otherwise, so that standard output stays with the command
 * line. Writes to standard error are synchronous: what a process says before it dies is what matters most.
 */
export function createLogger(
  level: LogLevel,
  target: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    target,
  );
}
