import { describe, expect, it } from 'vitest';
import { Intake } from '../../../../src/transports/ws/intake.js';

function setup(
  maxMessages: number,
  maxBytes = Infinity,
): {
  intake: Intake<string>;
  log: string[];
  leave: (message: string) => void;
} {
  const log: string[] = [];
  const inside = new Map<string, () => void>();
  const intake = new Intake<string>({
    maxMessages,
    maxBytes,
    sizeOf: (message) => message.length,
    admit: (message, done) => {
      log.push(message);
      if (message === 'quick') done();
      else inside.set(message, done);
    },
    hold: () => log.push('hold'),
    resume: () => log.push('resume'),
  });
  return { intake, log, leave: (message) => inside.get(message)?.() };
}

describe('Intake', () => {
  it('lets in as many as may be inside, and the others in their order as these leave', () => {
    const { intake, log, leave } = setup(2);
    for (const message of ['a', 'b', 'c', 'd']) intake.push(message);
    expect(log).toEqual(['a', 'b', 'hold']);
    leave('b');
    expect(log).toEqual(['a', 'b', 'hold', 'c']);
    leave('a');
    expect(log).toEqual(['a', 'b', 'hold', 'c', 'd', 'resume']);
    leave('c');
    expect(intake.busy).toBe(true);
    leave('d');
    expect(log).toEqual(['a', 'b', 'hold', 'c', 'd', 'resume']);
    expect(intake.busy).toBe(false);
  });

  it('counts bytes too, and lets one in whatever its size', () => {
    const { intake, log, leave } = setup(10, 3);
    intake.push('large');
    expect(log).toEqual(['large']);
    intake.push('x');
    expect(log).toEqual(['large', 'hold']);
    leave('large');
    expect(log).toEqual(['large', 'hold', 'x', 'resume']);
  });

  it('counts who leaves twice once', () => {
    const { intake, log, leave } = setup(2);
    for (const message of ['a', 'b', 'c', 'd']) intake.push(message);
    leave('a');
    leave('a');
    expect(log).toEqual(['a', 'b', 'hold', 'c']);
  });

  it('is not held up by messages that leave at once', () => {
    const { intake, log } = setup(1);
    for (let i = 0; i < 10_000; i++) intake.push('quick');
    expect(log).toHaveLength(10_000);
    expect(new Set(log)).toEqual(new Set(['quick']));
  });

  it('forgets what waits', () => {
    const { intake, log, leave } = setup(1);
    intake.push('a');
    intake.push('b');
    intake.clear();
    leave('a');
    expect(log).toEqual(['a', 'hold', 'resume']);
    expect(intake.busy).toBe(false);
  });
});
