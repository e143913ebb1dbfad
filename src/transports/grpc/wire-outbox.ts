import { CallTable } from '../../core/call-table.js';
import type { Message, Reply } from './server.js';
import { CommandField, CommandKind, commandStride } from './wire-addon.js';

/** Up to here the bytes at the beginning of a message are copied: less work than keeping their memory for a while. */
const copied = 16 * 1024;

type Submit = (commands: Float64Array, count: number, bytes: Uint8Array, chunks: readonly Uint8Array[] | null) => void;

/** Memory that the wire's thread reads. The reply is what keeps its chunks alive. */
interface Lent {
  readonly reply: Reply;
  /** Whose memory the chunks may lie in. */
  readonly message: Message | null;
  readonly written: (() => void) | null;
}

/** Collects commands for the wire and submits what one turn of the event loop has brought in one go. */
export class Outbox {
  readonly #submit: Submit;
  #commands = new Float64Array(64 * commandStride);
  #count = 0;
  #bytes = Buffer.allocUnsafeSlow(4 * copied);
  #used = 0;
  #chunks: Uint8Array[] = [];
  #scheduled = false;
  #closed = false;
  #nextToken = 1;
  readonly #lent = new CallTable<Lent>();

  constructor(submit: Submit) {
    this.#submit = submit;
  }

  metadata(call: number, fields: Buffer): void {
    this.#add(CommandKind.metadata, call, 0, this.#reserve(fields.length));
    this.#writeFields(fields);
  }

  /**
   * Answers a call: one message, and OK.
   * @param message the request, of which one reference is dropped when nothing of the reply is needed any more; null
   *   when the reply keeps its memory by itself
   */
  reply(call: number, reply: Reply, message: Message | null, trailers: Buffer): void {
    const kind = reply.leased === true ? CommandKind.leasedReply : CommandKind.reply;
    const lentFrom = this.#addMessage(kind, call, reply, trailers.length);
    this.#writeFields(trailers);
    if (lentFrom < reply.chunks.length) this.#lend(lentFrom, { reply, message, written: null });
    else {
      reply.release?.();
      message?.release();
    }
  }

  /**
   * Sends a message of a stream.
   * @param message whose memory the reply may refer to; kept until then
   * @param written called when the connection has taken all of it, or will never take it
   */
  message(call: number, reply: Reply, message: Message | null, written: () => void): void {
    message?.retain();
    const lentFrom = this.#addMessage(CommandKind.message, call, reply, 0);
    this.#lend(lentFrom, { reply, message, written });
  }

  finish(call: number, status: number, text: string, trailers: Buffer): void {
    const textBytes = Buffer.byteLength(text);
    const at = this.#reserve(textBytes + trailers.length);
    this.#add(CommandKind.finish, call, status, at);
    this.#used += this.#bytes.write(text, this.#used);
    this.#commands[at + CommandField.text] = textBytes;
    this.#writeFields(trailers);
  }

  consumed(call: number, bytes: number): void {
    this.#add(CommandKind.consumed, call, bytes, this.#reserve(0));
  }

  /** The wire reads the memory of this token no more. */
  released(token: number): void {
    const lent = this.#lent.get(token);
    if (lent === undefined) return;
    this.#lent.delete(token);
    giveBack(lent);
  }

  /** The wire's thread has ended: it reads nothing any more, and nobody will say so of what comes now. */
  close(): void {
    this.#closed = true;
    const lent = [...this.#lent.values()];
    this.#lent.clear();
    for (const each of lent) giveBack(each);
  }

  /** @returns the first chunk that is not copied; all of them are when that is their count */
  #addMessage(kind: number, call: number, { chunks }: Reply, fieldBytes: number): number {
    let text = 0;
    let first = 0;
    for (const { length } of chunks) {
      if (text + length > copied) break;
      text += length;
      first++;
    }
    const at = this.#reserve(text + fieldBytes);
    this.#add(kind, call, 0, at);
    this.#commands[at + CommandField.text] = text;
    let left = first;
    for (const chunk of chunks) {
      if (left-- === 0) break;
      this.#bytes.set(chunk, this.#used);
      this.#used += chunk.length;
    }
    return first;
  }

  /** Lends the rest of the last message's chunks. */
  #lend(first: number, lent: Lent): void {
    const { chunks } = lent.reply;
    const at = (this.#count - 1) * commandStride;
    const token = this.#nextToken++;
    this.#commands[at + CommandField.subject] = token;
    this.#commands[at + CommandField.chunks] = chunks.length - first;
    if (first < chunks.length) this.#chunks.push(...chunks.slice(first));
    if (this.#closed) giveBack(lent);
    else this.#lent.set(token, lent);
  }

  #writeFields(fields: Buffer): void {
    if (fields.length === 0) return;
    this.#commands[(this.#count - 1) * commandStride + CommandField.fields] = fields.length;
    this.#used += fields.copy(this.#bytes, this.#used);
  }

  #add(kind: number, call: number, subject: number, at: number): void {
    const commands = this.#commands;
    commands[at + CommandField.kind] = kind;
    commands[at + CommandField.call] = call;
    commands[at + CommandField.subject] = subject;
    commands[at + CommandField.text] = 0;
    commands[at + CommandField.chunks] = 0;
    commands[at + CommandField.fields] = 0;
    this.#count++;
  }

  /** @returns where the next command goes, once there is room for it and for so many bytes */
  #reserve(bytes: number): number {
    if (this.#used + bytes > this.#bytes.length || (this.#count + 1) * commandStride > this.#commands.length) {
      this.flush();
      if (bytes > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(2 * bytes);
    }
    if (!this.#scheduled) {
      this.#scheduled = true;
      // Everything that one turn of the event loop leads to goes out with one wake-up of the wire's thread: a batch of
      // requests or of finished plugin calls, but also the answers of a worker, which come one by one.
      setImmediate(this.#onTurnEnd);
    }
    return this.#count * commandStride;
  }

  readonly #onTurnEnd = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** Hands over what there is, for who cannot wait until the turn is over. */
  flush(): void {
    if (this.#count === 0) return;
    const chunks = this.#chunks.length === 0 ? null : this.#chunks;
    this.#submit(this.#commands, this.#count, this.#bytes, chunks);
    this.#count = 0;
    this.#used = 0;
    if (chunks !== null) this.#chunks = [];
  }
}

function giveBack({ reply, message, written }: Lent): void {
  reply.release?.();
  message?.release();
  written?.();
}
