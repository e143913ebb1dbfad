import { createHmac } from 'node:crypto';
import {
  AudioBodyField,
  JsonBodyField,
  type OnceRequest,
  type Outputs,
  PluginError,
  StringParamField,
  WrapperBase,
} from 'aiges-ts';

class UserRequest {
  mode = new StringParamField({ enums: ['music', 'humming'], value: 'humming' });
  audio = new AudioBodyField({ path: './data/sample.pcm', description: 'what to recognise' });
}

class UserResponse {
  result = new JsonBodyField({ description: "the third party's answer, as it is" });
}

/** Codes of this wrapper; those of the third party are passed on. */
const codes = {
  noAnswer: 4003,
  httpStatus: 4000,
  timeout: 4408,
  notUnderstood: 4500,
} as const;

/** Has sound recognised by a third party. */
export default class Wrapper extends WrapperBase<UserRequest, UserResponse> {
  override readonly serviceId = '{{service}}';
  override readonly version = 'v1';
  override requestCls = new UserRequest();
  override responseCls = new UserResponse();
  #url = new URL('http://127.0.0.1');
  #key = '';
  #secret = '';
  #timeoutMs = 0;

  override init(config: ReadonlyMap<string, string>): void {
    this.#url = new URL(need(config, 'url'));
    this.#key = need(config, 'accessKey');
    this.#secret = need(config, 'accessSecret');
    this.#timeoutMs = readMs(config, 'timeoutMs', '5000');
  }

  override async onceExec({ params, inputs, signal, log }: OnceRequest<UserRequest>): Promise<Outputs<UserResponse>> {
    const { data } = inputs.audio;
    const reply = await this.#send(this.#form(params.mode, data), signal);
    if (!reply.ok) throw new PluginError(codes.httpStatus + reply.status, `the service answered ${reply.status}`);
    const answer = read(reply.text);
    if (answer.code !== 0) throw new PluginError(answer.code, answer.message ?? this.error(answer.code));
    log.info('recognised', { mode: params.mode, bytes: data.byteLength });
    return { result: answer };
  }

  /** Texts for codes of the third party that come without one. */
  override error(code: number): string {
    return texts.get(code) ?? `the service answered with code ${code}`;
  }

  async #send(body: FormData, signal: AbortSignal): Promise<Reply> {
    const tooLate = AbortSignal.timeout(this.#timeoutMs);
    try {
      // Ends when it has taken too long, and when nobody waits for the answer any more.
      const reply = await fetch(this.#url, { method: 'POST', body, signal: AbortSignal.any([signal, tooLate]) });
      // In here, because the body may be what does not come.
      return { ok: reply.ok, status: reply.status, text: await reply.text() };
    } catch (error) {
      signal.throwIfAborted();
      if (tooLate.aborted) {
        throw new PluginError(codes.timeout, `the service took longer than ${this.#timeoutMs} ms`, { cause: error });
      }
      throw new PluginError(codes.noAnswer, `no answer from ${this.#url.host}; is it running?`, { cause: error });
    }
  }

  #form(mode: string, data: Uint8Array): FormData {
    const timestamp = String(Date.now() / 1000);
    const signed = ['POST', this.#url.pathname, this.#key, mode, '1', timestamp].join('\n');
    const form = new FormData();
    form.set('access_key', this.#key);
    form.set('data_type', mode);
    form.set('signature_version', '1');
    form.set('timestamp', timestamp);
    form.set('signature', createHmac('sha1', this.#secret).update(signed).digest('base64'));
    form.set('sample_bytes', String(data.byteLength));
    // A copy: the bytes of a request may be memory that others share.
    form.set('sample', new Blob([new Uint8Array(data)]), 'sample');
    return form;
  }
}

interface Reply {
  readonly ok: boolean;
  readonly status: number;
  readonly text: string;
}

interface Answer {
  readonly code: number;
  readonly message?: string;
}

function read(text: string): Answer {
  try {
    const answer = JSON.parse(text) as Partial<Answer> | null;
    if (typeof answer?.code === 'number') return answer as Answer;
  } catch {
    // Not JSON: the same as JSON without a code.
  }
  throw new PluginError(codes.notUnderstood, 'the service gave an answer without a code');
}

const texts = new Map([
  [1001, 'no result for identification'],
  [3001, 'the access key does not exist'],
  [3003, 'the number of requests exceeds the limit'],
  [3014, 'the signature is not valid'],
]);

function need(config: ReadonlyMap<string, string>, key: string): string {
  const value = config.get(key);
  if (value === undefined || value === '') throw new Error(`[wrapper].${key} is missing in aiges.toml`);
  return value;
}

function readMs(config: ReadonlyMap<string, string>, key: string, fallback: string): number {
  const value = config.get(key) ?? fallback;
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new Error(`[wrapper].${key} in aiges.toml: expected milliseconds, such as 5000, but found "${value}"`);
}
