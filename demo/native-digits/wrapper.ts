import { fileURLToPath } from 'node:url';
import {
  ImageBodyField,
  IntegerParamField,
  JsonBodyField,
  NativeWrapper,
  type OnceRequest,
  type Outputs,
  PluginError,
} from 'aiges-ts';
import { normalise } from './normalise.js';

const names = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'] as const;

interface Guess {
  readonly name: string;
  readonly digit: number;
  readonly score: number;
}

class DigitRequest {
  top = new IntegerParamField({ minimum: 1, maximum: 10, value: 3, description: 'guesses to give' });
  photo = new ImageBodyField({ encoding: 'png', description: 'one digit on paper, of any size, anywhere on it' });
}

class DigitResponse {
  guesses = new JsonBodyField<readonly Guess[]>();
}

/** The C engine of demo/digits reads 28 × 28 pixels. This one reads photos, and gives names. */
export default class NativeDigits extends NativeWrapper<DigitRequest, DigitResponse> {
  override serviceId = 'native-digits';
  override requestCls = new DigitRequest();
  override responseCls = new DigitResponse();
  override library = '../digits/build/libwrapper.so';

  override engineConfig(): ReadonlyMap<string, string> {
    return new Map([['weights', fileURLToPath(new URL('../digits/weights.bin', import.meta.url))]]);
  }

  override async onceExec(request: OnceRequest<DigitRequest>): Promise<Outputs<DigitResponse>> {
    const { photo } = request.inputs;
    const answer = await this.engine.once(
      { inputs: [{ ...photo, key: 'img', data: this.#pixelsOf(photo.data) }] },
      request,
    );
    const { scores } = JSON.parse(answer.get('result').text) as { readonly scores: readonly number[] };
    const guesses = names
      .map((name, digit) => ({ name, digit, score: scores[digit] ?? 0 }))
      .sort((a, b) => b.score - a.score);
    return { guesses: guesses.slice(0, request.params.top) };
  }

  override error(code: number): string {
    return code === 2001 ? 'the photo is no PNG' : 'there is no ink on the photo';
  }

  #pixelsOf(file: Uint8Array): Uint8Array {
    let pixels: Uint8Array | null;
    try {
      pixels = normalise(file);
    } catch (error) {
      throw new PluginError(2001, '', { cause: error });
    }
    if (pixels === null) throw new PluginError(2002);
    return pixels;
  }
}
