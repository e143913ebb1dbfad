import { fileURLToPath } from 'node:url';
import { ImageBodyField, JsonBodyField, type OnceRequest, type Outputs, PluginError, WrapperBase } from 'aiges-ts';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { PNG } from 'pngjs';

const side = 28;
const pixelCount = side * side;

class DigitRequest {
  img = new ImageBodyField({
    encoding: 'png',
    path: '../digits/samples/7-0.png',
    description: 'a PNG of 28 × 28 pixels, or 784 raw bytes',
  });
}

class DigitResponse {
  result = new JsonBodyField<{
    readonly digit: number;
    readonly confidence: number;
    readonly scores: readonly number[];
  }>();
}

/** Reads handwritten digits, as the C engine of demo/digits does, with ONNX Runtime. */
export default class DigitsOnnx extends WrapperBase<DigitRequest, DigitResponse> {
  override serviceId = 'digits';
  override requestCls = new DigitRequest();
  override responseCls = new DigitResponse();
  #session: InferenceSession | null = null;

  override async init(config: ReadonlyMap<string, string>): Promise<void> {
    const model = config.get('model') ?? fileURLToPath(new URL('digits.onnx', import.meta.url));
    // Calls run side by side in threads of their own already; one more thread per core would only get in the way.
    this.#session = await InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  }

  override async onceExec({ inputs }: OnceRequest<DigitRequest>): Promise<Outputs<DigitResponse>> {
    const image = new Tensor('float32', inkOf(inputs.img.data), [1, 1, side, side]);
    const outputs = await this.#session?.run({ image });
    const scores = Array.from(outputs?.['scores']?.data ?? []);
    const confidence = Math.max(...scores);
    return { result: { digit: scores.indexOf(confidence), confidence, scores } };
  }

  override error(code: number): string {
    return code === 1103 ? 'the image is neither a PNG nor 784 raw bytes' : 'the PNG is not 28 pixels wide and high';
  }

  override async fini(): Promise<void> {
    await this.#session?.release();
  }
}

/** Values from 0 (paper) to 1 (ink). Dark ink on light paper is turned round. */
function inkOf(bytes: Uint8Array): Float32Array {
  const grey = bytes.length === pixelCount ? bytes : greyOf(bytes);
  const border = Array.from(grey).filter((_, at) => {
    const [x, y] = [at % side, Math.floor(at / side)];
    return x === 0 || y === 0 || x === side - 1 || y === side - 1;
  });
  const inverted = bytes.length !== pixelCount && border.reduce((sum, value) => sum + value, 0) / border.length >= 128;
  return Float32Array.from(grey, (value) => (inverted ? 255 - value : value) / 255);
}

function greyOf(file: Uint8Array): Uint8Array {
  let image: PNG;
  try {
    image = PNG.sync.read(Buffer.from(file.buffer, file.byteOffset, file.byteLength));
  } catch (error) {
    throw new PluginError(1103, '', { cause: error });
  }
  if (image.width !== side || image.height !== side) throw new PluginError(1303);
  return Uint8Array.from({ length: pixelCount }, (_, pixel) => {
    const [red = 0, green = 0, blue = 0, alpha = 0] = image.data.subarray(pixel * 4, pixel * 4 + 4);
    // What is transparent shows white paper.
    return Math.round(((0.299 * red + 0.587 * green + 0.114 * blue) * alpha) / 255 + (255 - alpha));
  });
}
