import { JsonBodyField, NativeWrapper, type OnceRequest, type Outputs, PluginError, StringBodyField } from 'aiges-ts';

class UserRequest {
  text = new StringBodyField({ value: 'Hello, World', description: 'what to count the letters of' });
}

class UserResponse {
  letters = new JsonBodyField<Readonly<Record<string, number>>>({ description: 'how often each letter comes' });
}

/** Counts letters with an engine that knows small ones only. */
export default class Wrapper extends NativeWrapper<UserRequest, UserResponse> {
  override readonly serviceId = '{{service}}';
  override readonly version = 'v1';
  override readonly library = './libwrapper.so';
  override requestCls = new UserRequest();
  override responseCls = new UserResponse();

  override async onceExec(request: OnceRequest<UserRequest>): Promise<Outputs<UserResponse>> {
    // Before the engine. What need not be changed is handed on as it is, without a copy: request.inputs.text.
    const text = request.inputs.text.text.toLowerCase();
    // Its errors become the answer, with their codes and texts.
    const answer = await this.engine.once({ inputs: [{ key: 'text', data: text }] }, request);
    // After it.
    const counts = answer.get('counts').text.split(',').map(Number);
    if (counts.length !== 26) throw new PluginError(4001, `expected 26 counts but the engine gave ${counts.length}`);
    const letters = counts.flatMap((count, n) => (count === 0 ? [] : [[String.fromCharCode(97 + n), count] as const]));
    return { letters: Object.fromEntries(letters) };
  }
}
