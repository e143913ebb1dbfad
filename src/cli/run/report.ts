import type { Frame } from '../../core/frame.js';
import { indent, withoutOurFrames, writeLine } from '../plugin-output.js';
import type { Event } from './sequence.js';
import { describeFrame, showBytes, showDescriptor, showFrame } from './show.js';

/** Where what happens in a run goes. */
export interface Report {
  tell(event: Event): void;
  log(level: string, message: string, fields: object): void;
  /** What is left to be printed. */
  end(passed: boolean): string;
}

/** So many results of a stream are shown one by one. */
const shownResults = 5;

/** Lines for people: what happens on standard output, what the wrapper says on standard error. */
export function createTextReport(path: string): Report {
  const say = (step: string, ms: number | null, text = ''): void => {
    const time = ms === null ? '' : `${ms.toFixed(1)} ms`;
    process.stdout.write(`${step.padEnd(8)}${time.padStart(11)}  ${text}`.trimEnd() + '\n');
  };
  let results = 0;
  const faults: string[] = [];
  return {
    tell(event) {
      switch (event.type) {
        case 'started':
          process.stdout.write(`${path}, version ${event.info.version}\n`);
          say('init', event.ms, showDescriptor(event.descriptor));
          return;
        case 'call': {
          const params = [...event.params].map(([key, value]) => `${key}=${value}`).join(' ') || 'defaults';
          const inputs = event.packets.length > 1 ? [sumUp(event.packets)] : (event.packets[0] ?? []).map(showFrame);
          for (const line of [`params: ${params}`, ...inputs]) say('  in', null, line);
          return;
        }
        case 'done':
          say(event.step, event.ms, event.count === undefined ? '' : `${event.count} packet${plural(event.count)}`);
          return;
        case 'output':
          if (event.step === 'stream') results++;
          else say('exec', event.ms);
          if (results > shownResults && !event.frames.some(({ status }) => status > 1)) return;
          for (const frame of event.frames) say('  out', event.step === 'stream' ? event.ms : null, showFrame(frame));
          return;
        case 'fault':
          faults.push(`${event.step}: ${event.text.split('\n', 1).join()}`);
          say(event.step, null, `FAULT: ${withoutOurFrames(event.text)}`);
          if (event.detail !== null) process.stdout.write(indent(withoutOurFrames(event.detail)));
          return;
      }
    },
    log: writeLine,
    end(passed) {
      const total = results > shownResults ? `${results} results in all\n` : '';
      if (passed) return `${total}passed\n`;
      return `${total}failed: ${faults.length} fault${plural(faults.length)}\n${faults.map((fault) => `  ${fault}\n`).join('')}`;
    },
  };
}

function sumUp(packets: readonly (readonly Frame[])[]): string {
  const frames = packets.flat();
  const keys = [...new Set(frames.map(({ key }) => key))].join(', ');
  const bytes = frames.reduce((sum, { data }) => sum + data.byteLength, 0);
  return `${packets.length} packets of ${keys}, ${showBytes(bytes)}`;
}

function plural(count: number): string {
  return count === 1 ? '' : 's';
}

/** One document for programs, at the end. */
export function createJsonReport(path: string): Report {
  const steps: object[] = [];
  const outputs: object[] = [];
  const faults: object[] = [];
  const logs: object[] = [];
  let started: object = {};
  return {
    tell(event) {
      switch (event.type) {
        case 'started': {
          const { info, descriptor } = event;
          started = { version: info.version, capabilities: info.capabilities, descriptor: withoutSamples(descriptor) };
          steps.push({ step: 'init', ms: event.ms });
          return;
        }
        case 'call':
          return;
        case 'done':
          steps.push({
            step: event.step,
            ms: event.ms,
            ...(event.count === undefined ? {} : { packets: event.count }),
          });
          return;
        case 'output':
          if (event.step === 'exec') steps.push({ step: 'exec', ms: event.ms });
          outputs.push({ step: event.step, ms: event.ms, frames: event.frames.map(describeFrame) });
          return;
        case 'fault':
          faults.push({ step: event.step, text: event.text, detail: event.detail });
          return;
      }
    },
    log(level, message, fields) {
      logs.push({ level, message, ...fields });
    },
    end: (passed) =>
      `${JSON.stringify({ wrapper: path, passed, ...started, steps, outputs, faults, logs }, null, 2)}\n`,
  };
}

function withoutSamples(descriptor: object): object {
  return JSON.parse(
    JSON.stringify(descriptor, (key, value: unknown) => (key === 'sample' ? undefined : value)),
  ) as object;
}
