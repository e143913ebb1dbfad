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

/** What the recogniser answers. */
interface Recognition {
  readonly status: { readonly code: number; readonly msg: string };
  readonly metadata?: { readonly music?: readonly { readonly title: string; readonly score: number }[] };
}

class MusicRequest {
  mode = new StringParamField({
    enums: ['music', 'humming'],
    value: 'humming',
    description: 'a recording that was played, or somebody who hums',
  });
  data = new AudioBodyField({ description: 'some seconds of sound' });
}

class MusicResponse {
  output_text = new JsonBodyField<Recognition>();
}

interface Account {
  readonly key: string;
  readonly secret: string;
}

/** Codes of our own, apart from those of the recogniser. */
const codes = { noAnswer: 4003, http: 4000, timeout: 4408, notJson: 4004, config: 4001 } as const;

/** The recogniser answers within seconds or not at all. */
const longestMs = 5_000;

const texts: Readonly<Record<number, string>> = {
  1001: 'the recording is of nothing that is known',
  2000: 'the recording failed, perhaps for want of a permission',
  2001: 'the recogniser could not start in time',
  2002: 'the metadata could not be read',
  2004: 'no fingerprint could be made, perhaps of silence',
  2005: 'the recogniser ran out of time',
  3000: 'the recogniser failed',
  3001: 'the access key is not known',
  3002: 'the request does not hold what it should',
  3003: 'the account has used up its requests',
  3006: 'a parameter is not allowed',
  3014: 'the signature does not fit',
  3015: 'the account sends too many requests at a time',
  [codes.noAnswer]: 'the recogniser cannot be reached',
  [codes.notJson]: 'the recogniser answered with something else than JSON',
  [codes.timeout]: 'the recogniser did not answer in time',
};

/** Recognises music with a third party's HTTP service, which wants its requests signed. */
export default class MusicProxy extends WrapperBase<MusicRequest, MusicResponse> {
  override serviceId = 'music';
  override requestCls = new MusicRequest();
  override responseCls = new MusicResponse();
  #url = new URL('http://127.0.0.1');
  readonly #accounts = new Map<string, Account>();

  override init(config: ReadonlyMap<string, string>): void {
    const read = (key: string): string => {
      const value = config.get(key);
      if (value === undefined || value === '') throw new PluginError(codes.config, `expected ${key} in [wrapper]`);
      return value;
    };
    this.#url = new URL(read('requrl'));
    for (const mode of ['music', 'humming']) {
      this.#accounts.set(mode, { key: read(`access_key_${mode}`), secret: read(`access_secret_${mode}`) });
    }
  }

  override async onceExec({
    params,
    inputs,
    signal,
    deadline,
    log,
  }: OnceRequest<MusicRequest>): Promise<Outputs<MusicResponse>> {
    const account = this.#accounts.get(params.mode);
    if (account === undefined) throw new TypeError(`no account for mode ${params.mode}`);
    const ours = AbortSignal.timeout(Math.max(0, Math.ceil(Math.min(longestMs, deadline - performance.now()))));
    let response: Response;
    let body: string;
    try {
      response = await fetch(this.#url, {
        method: 'POST',
        body: signedForm(this.#url.pathname, account, inputs.data.data),
        // The client's leaving ends the request to the recogniser as well.
        signal: AbortSignal.any([signal, ours]),
      });
      body = await response.text();
    } catch (error) {
      signal.throwIfAborted();
      throw new PluginError(ours.aborted ? codes.timeout : codes.noAnswer, '', { cause: error });
    }
    if (!response.ok) {
      throw new PluginError(codes.http + response.status, `the recogniser answered with HTTP ${response.status}`);
    }
    const recognition = parse(body);
    log.info('recognised', { mode: params.mode, code: recognition.status.code });
    if (recognition.status.code !== 0) throw new PluginError(recognition.status.code);
    this.meter('recognitions', 1);
    return { output_text: recognition };
  }

  override error(code: number): string {
    return texts[code] ?? `the recogniser failed with ${code}`;
  }
}

/** HMAC-SHA1 over what identifies the request, as the recogniser asks for. */
function signedForm(path: string, { key, secret }: Account, sample: Uint8Array): FormData {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signed = ['POST', path, key, 'audio', '1', timestamp].join('\n');
  const form = new FormData();
  form.set('access_key', key);
  form.set('data_type', 'audio');
  form.set('signature_version', '1');
  form.set('timestamp', timestamp);
  form.set('signature', createHmac('sha1', secret).update(signed).digest('base64'));
  form.set('sample_bytes', String(sample.byteLength));
  form.set('sample', new Blob([sample]), 'sample');
  return form;
}

function parse(body: string): Recognition {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch (error) {
    throw new PluginError(codes.notJson, '', { cause: error });
  }
  const status = (answer as Partial<Recognition> | null)?.status;
  if (typeof status?.code !== 'number')
    throw new PluginError(codes.notJson, 'the answer of the recogniser has no code');
  return answer as Recognition;
}
