import {
  AudioBodyField,
  IntegerParamField,
  JsonBodyField,
  NumberParamField,
  PluginError,
  type StreamResult,
  type StreamSession,
  WrapperBase,
} from 'aiges-ts';

interface Level {
  /** Where the packet ends, in seconds from the beginning of the stream. */
  readonly at: number;
  /** Root mean square and largest sample, in decibels below full scale; null for silence. */
  readonly rms: number | null;
  readonly peak: number | null;
  /** Whether it is loud enough to be speech. */
  readonly active: boolean;
}

/** What a stream holds: 16-bit samples, little-endian, one channel. */
class UserRequest {
  rate = new IntegerParamField({ enums: [8000, 16000], value: 16000, description: 'samples per second' });
  threshold = new NumberParamField({ minimum: -90, maximum: 0, value: -30, description: 'in decibels' });
  audio = new AudioBodyField({ path: './data/tone.pcm', encoding: 'raw', description: '16-bit samples, one channel' });
}

class UserResponse {
  level = new JsonBodyField<Level>({ description: 'level of each packet, and of the whole stream in the end' });
}

/** Tells how loud a stream of sound is while it comes. */
export default class Wrapper extends WrapperBase<UserRequest, UserResponse> {
  override readonly serviceId = '{{service}}';
  override readonly version = 'v1';
  override requestCls = new UserRequest();
  override responseCls = new UserResponse();

  override async *stream({
    packets,
    params,
  }: StreamSession<UserRequest>): AsyncGenerator<StreamResult<UserResponse>, StreamResult<UserResponse>> {
    const total = new Meter(params.rate, params.threshold);
    for await (const { inputs } of packets) {
      const bytes = inputs.audio?.data;
      if (bytes === undefined || bytes.byteLength === 0) continue;
      if (bytes.byteLength % 2 !== 0) throw new PluginError(4001, 'a packet ends within a sample');
      const packet = new Meter(params.rate, params.threshold);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.byteLength; at += 2) packet.add(view.getInt16(at, true) / 32768);
      total.merge(packet);
      // Sent at once; the next packet is only asked for afterwards.
      yield { level: packet.level(total.seconds) };
    }
    this.meter('seconds', Math.ceil(total.seconds));
    return { level: total.level(total.seconds) };
  }
}

class Meter {
  readonly #rate: number;
  readonly #threshold: number;
  #count = 0;
  #squares = 0;
  #peak = 0;

  constructor(rate: number, threshold: number) {
    this.#rate = rate;
    this.#threshold = threshold;
  }

  get seconds(): number {
    return this.#count / this.#rate;
  }

  /** @param sample from -1 to 1 */
  add(sample: number): void {
    this.#count++;
    this.#squares += sample * sample;
    this.#peak = Math.max(this.#peak, Math.abs(sample));
  }

  merge(other: Meter): void {
    this.#count += other.#count;
    this.#squares += other.#squares;
    this.#peak = Math.max(this.#peak, other.#peak);
  }

  level(at: number): Level {
    const rms = decibels(Math.sqrt(this.#squares / Math.max(1, this.#count)));
    return { at, rms, peak: decibels(this.#peak), active: rms !== null && rms >= this.#threshold };
  }
}

function decibels(amplitude: number): number | null {
  return amplitude === 0 ? null : Math.round(200 * Math.log10(amplitude)) / 10;
}
