import { status } from '@grpc/grpc-js';
import { expect, vi } from 'vitest';
import { CallRecord } from '../fixtures/call-record.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type Loader, patience } from '../fixtures/loader.js';
import type { InputShape } from '../fixtures/protocol.js';
import { RawClient } from '../fixtures/raw-client.js';
import { Relay } from '../fixtures/relay.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';
import { type Fault, type Seen, waits } from './faults.js';

/** Longer than any test: the answer is to come from something else. */
const forEver = 600_000;
/** Long enough for a busy machine to get the request into the engine, and short enough to be waited for. */
const untilTimeIsUp = 10_000;

/** One fault against a running loader, in the three steps that the faults of a loader take together. */
export class FaultRun {
  /** What the client has seen, in order. */
  readonly seen: Seen[] = [];
  readonly #fault: Fault;
  readonly #loader: Loader;
  readonly #handle: string;
  readonly #gate = new FileGate();
  readonly #record = new CallRecord();
  readonly #cancel = new AbortController();
  #relay: Relay | null = null;
  #client: RawClient;
  #waiting: Promise<XsfAnswer> | null = null;

  constructor(loader: Loader, fault: Fault, handle: string) {
    this.#loader = loader;
    this.#fault = fault;
    this.#handle = handle;
    this.#client = loader.client;
  }

  get calls(): readonly string[] {
    return this.#record.calls;
  }

  /** Sends what leads to the fault, and waits until the engine is there. */
  async begin(): Promise<void> {
    const { event, shape } = this.#fault;
    // One that is cut or cancelled has its connection for itself.
    if (event === 'disconnect') {
      this.#relay = await Relay.to(this.#loader.port);
      this.#client = new RawClient(this.#relay.port);
    } else if (event === 'cancel' || event === 'deadline') this.#client = this.#loader.connect();
    if (shape === 'once') this.#waiting = this.#once();
    else await this.#stream();
    await vi.waitFor(() => {
      expect(this.calls).toContain(this.#fault.reached);
    }, patience);
    if (this.#waiting !== null) await this.#arrived();
  }

  /** Lets the event happen; drain and shutdown happen to the whole loader. */
  async happen(): Promise<void> {
    switch (this.#fault.event) {
      case 'none':
        this.#gate.open();
        return this.#untilEnd();
      case 'abort':
        this.#see(await this.#send('AIExcp', { waitTime: '200' }));
        return this.#answered();
      case 'cancel':
        this.#cancel.abort();
        await this.#answered();
        return this.#arrived();
      case 'disconnect':
        await this.#relay?.cut();
        await this.#answered();
        this.#client.close();
        this.#client = this.#loader.client;
        return;
      case 'waitTime':
        return this.#answered();
      case 'deadline':
        await this.#answered();
        return this.#arrived();
      case 'TTL':
        return this.#expired();
      case 'drain':
        this.#gate.open();
        return this.#answered();
      case 'shutdown':
        return this.#answered();
    }
  }

  /** Lets the engine go on, and waits until it has done everything that it will. */
  async finish(): Promise<void> {
    const { event, shape, outcome, expected } = this.#fault;
    this.#gate.open();
    if (shape === 'stream' && ['cancel', 'disconnect', 'waitTime', 'deadline'].includes(event)) {
      // The stream is none the worse for a call that got no answer.
      if (outcome === null) {
        await this.#send('AIExcp', { waitTime: '20000' });
        this.#see(await this.#send('AIOut', { waitTime: '0' }));
      } else await this.#untilEnd();
    }
    await vi.waitFor(() => {
      expect([...this.calls].sort()).toEqual([...expected].sort());
    }, patience);
  }

  /** What the handle is good for when all is over. */
  async afterwards(): Promise<Seen> {
    return seenIn(await this.#send('AIOut', { waitTime: '0' }));
  }

  close(): void {
    this.#gate.open();
    this.#gate.remove();
    this.#record.remove();
  }

  get #params(): Record<string, string> {
    const params = Object.entries(this.#fault.params);
    return {
      ...this.#record.params,
      ...Object.fromEntries(params.map(([key, value]) => [key, value === '$file' ? this.#gate.file : value])),
    };
  }

  /** How the call waits whose end is the event. */
  #patience(): { readonly waitTime: string; readonly options: { deadlineMs: number; signal: AbortSignal } } {
    const { event, shape } = this.#fault;
    const soon = shape === 'once' ? untilTimeIsUp : 100;
    return {
      waitTime: String(event === 'waitTime' ? soon : forEver),
      options: { deadlineMs: event === 'deadline' ? untilTimeIsUp : forEver, signal: this.#cancel.signal },
    };
  }

  #once(): Promise<XsfAnswer> {
    const { waitTime, options } = this.#patience();
    const payload = [{ meta: { name: 'input', attribute: { status: '3' } }, data: Buffer.from('x') }];
    const input = onceInput({ params: this.#params, pl: payload });
    const request = onceRequest(input, { s: { h: this.#handle }, param: { SeqNo: '1', waitTime } });
    return callXsf(this.#client, request, options);
  }

  async #stream(): Promise<void> {
    const { at, event, held, outcome, packets } = this.#fault;
    const unasked = event !== 'none' && !waits(held, outcome);
    const opened = await new StreamClient(this.#client).create(
      { params: this.#params },
      { s: { h: this.#handle }, param: { SeqNo: '1', waitTime: '20000' } },
    );
    expect(opened.output?.code).toBe(0);
    // A stream that is to end without a result gets no input.
    const writes = at === 'Destroy' && unasked ? 0 : packets;
    for (let number = 1; number <= writes; number++) {
      const attribute = { status: number === writes ? '2' : '1' };
      const pl = [{ meta: { name: 'input', attribute }, data: Buffer.from('x') }];
      expect((await this.#send('AIIn', { input: { sync_id: number, pl } })).output?.code).toBe(0);
    }
    if (unasked || event === 'none') return;
    const { waitTime, options } = this.#patience();
    this.#waiting = this.#send('AIOut', { waitTime, options });
  }

  #send(
    op: string,
    { waitTime = '20000', input = {}, options = {} }: { waitTime?: string; input?: InputShape; options?: object },
  ): Promise<XsfAnswer> {
    const request = onceRequest({ ...input }, { op, s: { h: this.#handle }, param: { waitTime } });
    return callXsf(this.#client, request, options);
  }

  /** Everything that was sent on this connection before has been taken by the loader then. */
  async #arrived(): Promise<void> {
    expect((await callXsf(this.#client, { op: 'ping' })).status).toBe(status.OK);
  }

  async #answered(): Promise<void> {
    if (this.#waiting !== null) this.#see(await this.#waiting);
  }

  /** Goes on as a client does until there is the last result or a failure. */
  async #untilEnd(): Promise<void> {
    if (this.#fault.shape === 'once') return this.#answered();
    for (;;) {
      const answer = await this.#send('AIOut', {});
      if (answer.output?.code === 0 && answer.output.pl.length === 0) continue;
      this.#see(answer);
      if (answer.output?.status !== 1) return;
    }
  }

  /** Waits until the session is past its time, without a call that would keep it alive. */
  async #expired(): Promise<void> {
    if (this.#waiting !== null) return this.#answered();
    const witness = new CallRecord();
    await new StreamClient(this.#client).create({ params: witness.params });
    await vi.waitFor(() => {
      expect(witness.calls).toContain('destroy');
    }, patience);
    witness.remove();
    this.#see(await this.#send('AIOut', { waitTime: '0' }));
  }

  #see(answer: XsfAnswer): void {
    this.seen.push(seenIn(answer));
  }
}

function seenIn(answer: XsfAnswer): Seen {
  if (answer.response === null) return `rpc ${answer.status}`;
  const texts = textsOf(answer);
  return texts.length > 0 ? texts.join() : (answer.output?.code ?? 'nothing');
}
