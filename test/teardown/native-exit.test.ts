import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

interface Ended {
  readonly code: unknown;
  readonly signal: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a child until it ends by itself. One that hangs is killed before the test's own timeout, and named by it. */
async function child(name: string, ...values: string[]): Promise<Ended> {
  const file = fileURLToPath(new URL(`children/${name}.mjs`, import.meta.url));
  try {
    const { stdout, stderr } = await run(process.execPath, [file, ...values], {
      timeout: 50_000,
      killSignal: 'SIGKILL',
    });
    return { code: 0, signal: null, stdout, stderr };
  } catch (error) {
    const { code, signal, stdout, stderr } = error as Ended;
    return { code, signal, stdout, stderr };
  }
}

const ended = (stdout: string, code = 0): Partial<Ended> => ({ code, stdout, stderr: '' });

describe('a process', () => {
  it('should end by itself with an idle engine open', async () => {
    expect(await child('idle')).toMatchObject(ended('ok\n'));
  });

  it('should end by itself with an answer on lease', async () => {
    expect(await child('leased')).toMatchObject(ended('100000\n'));
  });

  it('should end by itself with an abandoned call', async () => {
    expect(await child('abandoned')).toMatchObject(ended('true\nAIGES_ABANDONED\n'));
  });

  it('should end at process.exit with calls in flight', async () => {
    expect(await child('exit-in-flight')).toMatchObject(ended('exiting\n', 7));
  });

  it.each(['sync', 'async'])('should live as long as a %s call is pending', async (kind) => {
    expect(await child('pending', kind)).toMatchObject(ended(kind === 'async' ? 'hello\n' : 'ok\n'));
  });
});

describe('a process with nothing to do', () => {
  it('should give back the memory that large calls have needed', async () => {
    expect(await child('memory')).toMatchObject(ended('small\n'));
  });
});

describe('a server of the wire', () => {
  it('should not keep a process before it listens', async () => {
    expect(await child('wire', 'opened')).toMatchObject(ended('ok\n'));
  });

  it('should not keep a process after it was stopped', async () => {
    expect(await child('wire', 'stopped')).toMatchObject(ended('{"connections":0,"calls":0,"tokens":0}\n'));
  });

  it('should not hold process.exit up, nor read memory that is gone', async () => {
    expect(await child('wire', 'exit')).toMatchObject(ended('exiting\n', 7));
  });

  it('should end with the worker that it lives in', async () => {
    expect(await child('wire', 'terminated')).toMatchObject(ended('ok\n'));
  });
});

describe('open streams', () => {
  it('should not hold process.exit up', async () => {
    expect(await child('streams', 'exit')).toMatchObject(ended('exiting\n', 7));
  });

  it('should not keep a process, and be destroyed when it ends', async () => {
    const { stdout, ...rest } = await child('streams', 'end');
    expect(rest).toEqual({ code: 0, signal: null, stderr: '' });
    expect(readFileSync(stdout.trim(), 'utf8')).toBe('destroy\ndestroy\n');
  });

  it('should be destroyed with the worker thread that opened them', async () => {
    const nothing = { sessions: 0, asyncWaiting: 0, tombstones: 0, pins: 0, engines: 0 };
    expect(await child('streams', 'workers')).toMatchObject(
      ended(`handles=0 overlap=0\n${JSON.stringify(nothing)}\n10\n`),
    );
  });

  it('should be destroyed when they are forgotten', async () => {
    expect(await child('stream-collected')).toMatchObject(ended('2\n0 0\n'));
  });
});

describe('the garbage collector', () => {
  it('should give back forgotten answers and end a forgotten engine', async () => {
    expect(await child('collected')).toMatchObject(ended('10\ncollected\n'));
  });
});

describe('a worker thread', () => {
  it('should be terminated with calls in flight, and leave the engine usable', async () => {
    const nothing = {
      jobsQueued: 0,
      jobsRunning: 0,
      outputsAlive: 0,
      pins: 0,
      asyncWaiting: 0,
      tombstones: 0,
      engines: 0,
    };
    expect(await child('worker-terminated')).toMatchObject(ended(`${JSON.stringify(nothing)}\n`));
  });

  it('should be terminated when only it has loaded the addon', async () => {
    expect(await child('worker-only')).toMatchObject(ended('terminated\n'));
  });
});
