import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  AudioBodyField,
  BooleanParamField,
  ImageBodyField,
  type Input,
  IntegerParamField,
  JsonBodyField,
  type JsonInput,
  NumberParamField,
  type OnceRequest,
  type Outputs,
  type Packet,
  type Params,
  Response,
  type ResponseData,
  StringBodyField,
  StringParamField,
  type StreamResult,
  type StreamSession,
  type TextInput,
  VideoBodyField,
  WrapperBase,
  type WrapperResult,
} from '../../src/index.js';

// Checked by the compiler: every @ts-expect-error line is an error that an author must see.

class UserRequest {
  mode = new StringParamField({ enums: ['music', 'humming'], value: 'humming' });
  lang = new StringParamField({ required: true });
  hint = new StringParamField();
  level = new NumberParamField({ minimum: 0, maximum: 1 });
  top = new IntegerParamField({ enums: [1, 5, 10], required: true });
  beam = new IntegerParamField({ value: 4 });
  verbose = new BooleanParamField({ value: false });
  strict = new BooleanParamField();
  img = new ImageBodyField({ path: 'test.png' });
  note = new StringBodyField({ required: false });
  options = new JsonBodyField<{ threshold: number }>();
  clip = new VideoBodyField({ required: false });
  sound = new AudioBodyField();
}

class UserResponse {
  text = new StringBodyField();
  boxes = new JsonBodyField<readonly number[]>();
  preview = new ImageBodyField({ required: false });
}

type P = OnceRequest<UserRequest>['params'];
type I = OnceRequest<UserRequest>['inputs'];
type O = Outputs<UserResponse>;

describe('params', () => {
  it('follow from their declarations', () => {
    expectTypeOf<P['mode']>().toEqualTypeOf<'music' | 'humming'>();
    expectTypeOf<P['lang']>().toEqualTypeOf<string>();
    expectTypeOf<P['hint']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<P['level']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<P['top']>().toEqualTypeOf<1 | 5 | 10>();
    expectTypeOf<P['beam']>().toEqualTypeOf<number>();
    expectTypeOf<P['verbose']>().toEqualTypeOf<boolean>();
    expectTypeOf<P['strict']>().toEqualTypeOf<boolean | undefined>();
    expectTypeOf<keyof P>().toEqualTypeOf<'mode' | 'lang' | 'hint' | 'level' | 'top' | 'beam' | 'verbose' | 'strict'>();
  });

  it('refuse what was not declared', () => {
    const use = (params: P): unknown[] => [
      // @ts-expect-error -- no such parameter
      params.modus,
      // @ts-expect-error -- an input is no parameter
      params.img,
      // @ts-expect-error -- not one of the two
      params.mode === 'speech',
      // @ts-expect-error -- it may be missing
      params.hint.length,
      // @ts-expect-error -- a number has no length
      params.beam.length,
    ];
    expectTypeOf(use).toBeFunction();
    const change = (params: P): void => {
      // @ts-expect-error -- they are the client's
      params.lang = 'de';
    };
    expectTypeOf(change).toBeFunction();
  });

  it('refuse defaults that contradict them', () => {
    // @ts-expect-error -- the default is none of the two
    expect(() => new StringParamField({ enums: ['a', 'b'], value: 'c' })).toThrow('does not fit');
    // @ts-expect-error -- the default is no number
    expectTypeOf(() => new NumberParamField({ value: '1' })).toBeFunction();
    // @ts-expect-error -- strings have no maximum
    expectTypeOf(() => new StringParamField({ maximum: 3 })).toBeFunction();
  });
});

describe('inputs', () => {
  it('follow from their declarations', () => {
    expectTypeOf<I['img']>().toEqualTypeOf<Input>();
    expectTypeOf<I['img']['data']>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<I['note']>().toEqualTypeOf<TextInput | undefined>();
    expectTypeOf<I['options']>().toEqualTypeOf<JsonInput<{ threshold: number }>>();
    expectTypeOf<I['options']['json']['threshold']>().toEqualTypeOf<number>();
    expectTypeOf<I['clip']>().toEqualTypeOf<Input | undefined>();
    expectTypeOf<keyof I>().toEqualTypeOf<'img' | 'note' | 'options' | 'clip' | 'sound'>();
  });

  it('refuse what was not declared', () => {
    const use = (inputs: I): unknown[] => [
      // @ts-expect-error -- no such input
      inputs.image,
      // @ts-expect-error -- a parameter is no input
      inputs.mode,
      // @ts-expect-error -- an image is no text
      inputs.img.text,
      // @ts-expect-error -- it may be missing
      inputs.note.text,
      // @ts-expect-error -- not in the document
      inputs.options.json.treshold,
    ];
    expectTypeOf(use).toBeFunction();
  });

  it('may all be missing from a packet', () => {
    expectTypeOf<Packet<UserRequest>['inputs']['sound']>().toEqualTypeOf<Input | undefined>();
    expectTypeOf<Packet<UserRequest>['last']>().toEqualTypeOf<boolean>();
  });
});

describe('results', () => {
  it('take the declared outputs', () => {
    expectTypeOf<{ text: string; boxes: number[] }>().toExtend<O>();
    expectTypeOf<{ text: Uint8Array; boxes: number[]; preview: Uint8Array }>().toExtend<O>();
    expectTypeOf<{ text: ResponseData; boxes: ResponseData }>().toExtend<O>();
    expectTypeOf<Response>().toExtend<WrapperResult<UserResponse>>();
    expectTypeOf<{ text: string }>().toExtend<StreamResult<UserResponse>>();
  });

  it('refuse what was not declared', () => {
    // @ts-expect-error -- boxes is missing
    const missing: O = { text: 'a' };
    // @ts-expect-error -- no such output
    const unknown: O = { text: 'a', boxes: [], title: 'b' };
    // @ts-expect-error -- an image is bytes
    const wrong: O = { text: 'a', boxes: [], preview: 'b' };
    // @ts-expect-error -- not what the document holds
    const json: O = { text: 'a', boxes: ['b'] };
    // @ts-expect-error -- text is not a number
    const number: O = { text: 1, boxes: [] };
    expectTypeOf([missing, unknown, wrong, json, number]).toBeArray();
  });
});

describe('a wrapper', () => {
  it('is typed by its declarations', () => {
    class Good extends WrapperBase<UserRequest, UserResponse> {
      override requestCls = new UserRequest();
      override responseCls = new UserResponse();
      override onceExec(request: OnceRequest<UserRequest>): WrapperResult<UserResponse> {
        return { text: request.params.lang, boxes: [request.inputs.img.data.length] };
      }
      override async *stream(session: StreamSession<UserRequest>): AsyncGenerator<StreamResult<UserResponse>> {
        for await (const packet of session.packets) yield { text: String(packet.inputs.sound?.data.length) };
      }
    }
    class Final extends WrapperBase<UserRequest, UserResponse> {
      override requestCls = new UserRequest();
      override responseCls = new UserResponse();
      override async *stream(
        session: StreamSession<UserRequest>,
      ): AsyncGenerator<StreamResult<UserResponse>, StreamResult<UserResponse>> {
        for await (const packet of session.packets) yield { text: String(packet.last) };
        return { text: 'end' };
      }
    }
    class Async extends WrapperBase<UserRequest, UserResponse> {
      override requestCls = new UserRequest();
      override responseCls = new UserResponse();
      override onceExec(): Promise<WrapperResult<UserResponse>> {
        return Promise.resolve(new Response().response_err(7));
      }
    }
    expectTypeOf([Good, Final, Async]).toBeArray();
  });

  it('is refused with an answer that lacks an output', () => {
    class Bad extends WrapperBase<UserRequest, UserResponse> {
      override requestCls = new UserRequest();
      override responseCls = new UserResponse();
      // @ts-expect-error -- boxes is missing
      override onceExec(): { text: string } {
        return { text: 'a' };
      }
    }
    class Other extends WrapperBase<UserRequest, UserResponse> {
      // @ts-expect-error -- declares something else than it says
      override requestCls = new UserResponse();
      override responseCls = new UserResponse();
    }
    // @ts-expect-error -- responseCls is missing
    class Half extends WrapperBase<UserRequest, UserResponse> {
      override requestCls = new UserRequest();
    }
    expectTypeOf([Bad, Other, Half]).toBeArray();
  });

  it('inherits declarations', () => {
    class Wider extends UserRequest {
      extra = new StringParamField({ value: 'x' });
    }
    expectTypeOf<Params<Wider>['extra']>().toEqualTypeOf<string>();
    expectTypeOf<Params<Wider>['lang']>().toEqualTypeOf<string>();
    expectTypeOf<OnceRequest<Wider>['inputs']['img']>().toEqualTypeOf<Input>();
  });
});
