import { AudioBodyField, type OnceRequest, type Outputs, type StreamSession, WrapperBase } from 'aiges-ts';

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
    return { result: inputs.input.data };
  }

  override async *stream({ packets }: StreamSession<EchoRequest>): AsyncGenerator<Answer, Answer | undefined> {
    for await (const { inputs, last } of packets) {
      // The packet that opens a session may be empty.
      if (inputs.input === undefined) continue;
      const answer = { result: inputs.input.data };
      if (last) return answer;
      yield answer;
    }
    return undefined;
  }
}
