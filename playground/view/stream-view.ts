import { adviceFor } from '../call/advice.js';
import type { StreamEnd, StreamWatcher } from '../call/stream.js';
import type { Answer, Output } from '../wire/answer.js';
import { element } from './elements.js';
import { failureView } from './facts.js';
import type { Outcome } from './outcome.js';
import { jsonIn, ObjectUrls, outputData, outputView } from './output.js';
import { statusName } from './status.js';
import { formatBytes, formatMs } from './units.js';

/** Results that are shown at the same time; of more, the newest. */
const mostShown = 500;
/** A JSON text up to this long is shown in one line. */
const shortJson = 200;

/** A stream as it goes on: how much has been sent, and each result as it comes. */
export class StreamView implements StreamWatcher {
  readonly node: HTMLElement;
  readonly #bytes: number;
  readonly #urls: ObjectUrls;
  readonly #facts = new Map<string, HTMLElement>();
  readonly #progress: HTMLProgressElement;
  readonly #list = element('ol', { class: 'results' });
  readonly #hidden = element('p', { class: 'hint', hidden: true });
  readonly #after = element('div');
  readonly #rows: { node: HTMLElement; urls: ObjectUrls }[] = [];
  /** Data of each output so far, where it makes one file in the end. */
  readonly #parts = new Map<string, { first: Output; bytes: Uint8Array<ArrayBuffer>[] }>();
  readonly #scroller: HTMLElement;
  #results = 0;
  #error: Answer | null = null;
  /** Whether the newest result is kept in sight: until somebody scrolls away from it. */
  #following = true;
  #frameAsked = false;

  /** @param bytes that will be sent */
  constructor(bytes: number, urls: ObjectUrls) {
    this.#bytes = bytes;
    this.#urls = urls;
    this.#progress = element('progress', { max: Math.max(1, bytes), value: 0, 'aria-label': 'Input sent' });
    const names = ['State', 'Sent', 'Packets', 'Results', 'First result', 'Total', 'Session'];
    const facts = element('dl', { class: 'fact-list' });
    for (const name of names) {
      const value = element('dd', {}, '–');
      this.#facts.set(name, value);
      facts.append(element('div', {}, element('dt', {}, name), value));
    }
    const scroller = element(
      'div',
      { class: 'scroller', tabindex: 0, role: 'group', 'aria-label': 'Results' },
      this.#list,
    );
    let top = 0;
    scroller.addEventListener('scroll', () => {
      const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
      // Further results may have come since we scrolled to the end: only a way up is somebody's wish.
      if (atEnd) this.#following = true;
      else if (scroller.scrollTop < top) this.#following = false;
      top = scroller.scrollTop;
    });
    this.#scroller = scroller;
    this.node = element('div', {}, facts, this.#progress, this.#after, this.#hidden, scroller);
    this.#set('State', 'Connecting');
    this.#set('Results', '0');
    this.onSent(0, 0);
  }

  get results(): number {
    return this.#results;
  }

  onOpen(): void {
    this.#set('State', 'Sending');
  }

  onSent(frames: number, bytes: number): void {
    this.#set('Sent', `${formatBytes(bytes)} of ${formatBytes(this.#bytes)}`);
    this.#set('Packets', String(frames));
    this.#progress.value = this.#bytes === 0 && frames > 0 ? 1 : bytes;
  }

  onInputEnd(): void {
    this.#set('State', 'Waiting for results');
  }

  onAnswer(answer: Answer, atMs: number): void {
    if (answer.sid !== '') this.#set('Session', answer.sid);
    if (answer.code !== 0) {
      this.#error = answer;
      return;
    }
    if (answer.outputs.length === 0 && answer.status === 0) return;
    if (this.#results === 0) this.#set('First result', formatMs(atMs));
    this.#results += 1;
    this.#set('Results', this.#results.toLocaleString('en'));
    this.#collect(answer);
    this.#show(answer, atMs);
  }

  /** Shows how it ended; gives the same in a few words. */
  onEnd(end: StreamEnd, totalMs: number): Outcome {
    this.#set('Total', formatMs(totalMs));
    const results = `${this.#results.toLocaleString('en')} ${this.#results === 1 ? 'result' : 'results'}`;
    this.#joined();
    if (end.kind === 'done') {
      this.#set('State', 'Done');
      return { text: `${results} in ${formatMs(totalMs)}`, mood: 'good' };
    }
    if (end.kind === 'stopped') {
      this.#set('State', 'Stopped');
      return { text: `Stopped after ${results}`, mood: 'quiet' };
    }
    this.#set('State', 'Failed');
    const code = this.#error?.code ?? null;
    const advice = adviceFor({ httpStatus: null, code, retryAfter: null });
    const title = code === null ? 'The stream has failed' : `Error ${String(code)}`;
    this.#after.append(failureView(title, this.#error?.message ?? end.reason, advice));
    return { text: code === null ? `Failed: ${end.reason}` : `Failed with code ${String(code)}`, mood: 'bad' };
  }

  release(): void {
    for (const { urls } of this.#rows) urls.release();
  }

  #set(name: string, text: string): void {
    const value = this.#facts.get(name);
    if (value !== undefined) value.textContent = text;
  }

  #show({ status, outputs }: Answer, atMs: number): void {
    const urls = new ObjectUrls();
    const node = element(
      'li',
      {},
      element('span', { class: 'time' }, `+${formatMs(atMs)}`),
      element('span', { class: 'chip' }, statusName(status) ?? 'result'),
      element('div', { class: 'data' }, ...outputs.map((output) => rowData(output, urls))),
    );
    this.#rows.push({ node, urls });
    this.#list.append(node);
    if (this.#rows.length > mostShown) {
      const oldest = this.#rows.shift();
      oldest?.node.remove();
      oldest?.urls.release();
      this.#hidden.hidden = false;
      this.#hidden.textContent = `The newest ${String(mostShown)} of ${this.#results.toLocaleString('en')} results.`;
    }
    this.#follow();
  }

  #follow(): void {
    if (!this.#following || this.#frameAsked) return;
    this.#frameAsked = true;
    requestAnimationFrame(() => {
      this.#frameAsked = false;
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
    });
  }

  #collect({ outputs }: Answer): void {
    for (const output of outputs) {
      if (output.data.kind !== 'bytes') continue;
      const parts = this.#parts.get(output.name) ?? { first: output, bytes: [] };
      parts.bytes.push(output.data.bytes);
      this.#parts.set(output.name, parts);
    }
  }

  /** Sound and files that came in pieces, as one. */
  #joined(): void {
    for (const { first, bytes } of this.#parts.values()) {
      if (bytes.length < 2) continue;
      const whole = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const piece of bytes) {
        whole.set(piece, at);
        at += piece.length;
      }
      this.#after.append(outputView({ ...first, data: { kind: 'bytes', bytes: whole } }, this.#urls));
    }
  }
}

function rowData(output: Output, urls: ObjectUrls): HTMLElement {
  const { name, data } = output;
  const text = data.kind === 'text' ? data.text : data.kind === 'json' ? JSON.stringify(data.value) : null;
  const short =
    text !== null &&
    text.length <= shortJson &&
    (data.kind === 'json' || jsonIn(text) !== undefined || !text.includes('\n'));
  return element(
    'div',
    { class: 'row' },
    element('span', { class: 'key' }, name),
    short ? element('code', {}, text) : outputData(output, urls),
  );
}
