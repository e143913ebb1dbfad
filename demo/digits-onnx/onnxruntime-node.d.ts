// The part of onnxruntime-node that this demo uses, so that it can be checked without its 290 MB.
declare module 'onnxruntime-node' {
  export class Tensor {
    constructor(type: 'float32', data: Float32Array, dims: readonly number[]);
    readonly data: Float32Array;
  }

  export class InferenceSession {
    static create(
      path: string,
      options?: { readonly intraOpNumThreads?: number; readonly interOpNumThreads?: number },
    ): Promise<InferenceSession>;
    readonly inputNames: readonly string[];
    run(feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
    release(): Promise<void>;
  }
}
