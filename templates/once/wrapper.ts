import {
  IntegerParamField,
  JsonBodyField,
  type OnceRequest,
  type Outputs,
  PluginError,
  StringBodyField,
  StringParamField,
  WrapperBase,
} from 'aiges-ts';

interface WordCount {
  readonly words: number;
  readonly top: readonly { readonly word: string; readonly count: number }[];
}

/** What a request holds. Parameters have defaults; the input has a sample for `aiges-ts run`. */
class UserRequest {
  order = new StringParamField({ enums: ['count', 'alphabet'], value: 'count', description: 'how words are sorted' });
  top = new IntegerParamField({ minimum: 1, maximum: 100, value: 3, description: 'how many words are listed' });
  text = new StringBodyField({ path: './data/text.txt', description: 'the text to look at' });
}

/** What an answer holds. */
class UserResponse {
  result = new JsonBodyField<WordCount>({ description: 'number of words, and the first ones' });
}

/** Counts the words of a text. */
export default class Wrapper extends WrapperBase<UserRequest, UserResponse> {
  override readonly serviceId = '{{service}}';
  override readonly version = 'v1';
  override requestCls = new UserRequest();
  override responseCls = new UserResponse();

  /** Load models and open connections here. Values come from [wrapper] in aiges.toml. */
  override init(config: ReadonlyMap<string, string>): void {
    console.log(`ready with ${config.size} value(s) of configuration`);
  }

  override onceExec({ params, inputs }: OnceRequest<UserRequest>): Outputs<UserResponse> {
    const words = inputs.text.text.toLowerCase().match(/\p{L}+/gu) ?? [];
    if (words.length === 0) throw new PluginError(4001, 'the text has no words');
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    const all = [...counts].map(([word, count]) => ({ word, count }));
    all.sort((a, b) => (params.order === 'count' ? b.count - a.count : 0) || a.word.localeCompare(b.word));
    this.meter('words', words.length);
    return { result: { words: words.length, top: all.slice(0, params.top) } };
  }
}
