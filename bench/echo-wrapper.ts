import {
  AudioBodyField,
  type Input,
  type OnceRequest,
  type Outputs,
  ResponseData,
  type StreamSession,
  WrapperBase,
} from 'aiges-ts';

class EchoRequest {
  input = new AudioBodyField();
}

class EchoResponse {
  result = new AudioBodyField();
}

type Answer = Outputs<EchoResponse>;

/** What the echo engine does, as an author would write it in TypeScript. */
export default class Echo extends WrapperBase<EchoRequest, EchoResponse> {
  override requestCls = new EchoRequest();
  override responseCls = new EchoResponse();

  override onceExec({ inputs }: OnceRequest<EchoRequest>): Answer {
    return answer(inputs.input);
  }

  override async *stream({ packets }: StreamSession<EchoRequest>): AsyncGenerator<Answer, Answer | undefined> {
    for await (const { inputs, last } of packets) {
      // The packet that opens a session is empty.
      if (inputs.input === undefined) continue;
      if (last) return answer(inputs.input);
      yield answer(inputs.input);
    }
    return undefined;
  }
}

/** Of the type that came: small requests are text. */
function answer({ data, type }: Input): Answer {
  return { result: new ResponseData({ data, type }) };
}
