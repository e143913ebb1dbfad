import {
  DataText,
  IntegerParamField,
  Once,
  type OnceRequest,
  PluginError,
  Response,
  ResponseData,
  StringBodyField,
  StringParamField,
  WrapperBase,
} from 'aiges-ts';

// wrapper.py, line by line.

class UserRequest {
  params1 = new StringParamField({ key: 'case', enums: ['ignore', 'match'], value: 'ignore' });
  params2 = new IntegerParamField({ key: 'limit', minimum: 1, maximum: 100, value: 10 });
  input1 = new StringBodyField({ key: 'text', value: 'The quick brown fox jumps over the lazy dog' });
}

class UserResponse {
  accept1 = new StringBodyField({ key: 'found' });
}

export default class Wrapper extends WrapperBase<UserRequest, UserResponse> {
  override serviceId = 'keywords';
  override version = 'v1';
  override requestCls = new UserRequest();
  override responseCls = new UserResponse();
  words: readonly string[] = [];

  override init(config: ReadonlyMap<string, string>): void {
    console.info('Initializing ..');
    const words = config.get('words');
    if (words === undefined) throw new PluginError(1001);
    this.words = words
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
  }

  override onceExec({ params, inputs, log }: OnceRequest<UserRequest>): Response {
    const res = new Response();
    const { text } = inputs.input1;
    if (text.trim() === '') return res.response_err(1002);
    const limit = params.params2;
    const ignore = params.params1 === 'ignore';
    const found: { readonly word: string; readonly at: number }[] = [];
    for (const word of this.words) {
      const at = ignore ? text.toLowerCase().indexOf(word.toLowerCase()) : text.indexOf(word);
      if (at >= 0 && found.length < limit) found.push({ word, at });
    }
    log.info(`${found.length} words found`);

    const l = new ResponseData();
    l.key = 'found';
    l.type = DataText;
    l.status = Once;
    l.setData(JSON.stringify(found));
    res.list = [l];
    return res;
  }

  override error(code: number): string {
    switch (code) {
      case 1001:
        return 'the configuration lacks words';
      case 1002:
        return 'the text is empty';
      default:
        return `User Defined Error: ${code}`;
    }
  }

  override fini(): void {
    console.info('Wrapper finished.');
  }
}
