import type { Draft, DraftInput } from '../../../playground/wire/request.js';

export function draft(changes: Partial<Draft> = {}): Draft {
  return {
    service: 'svc',
    url: 'http://127.0.0.1:1888/v1/private/svc',
    base: {},
    params: new Map(),
    inputs: [],
    ...changes,
  };
}

export function textInput(data: string, changes: Partial<DraftInput> = {}): DraftInput {
  return { name: 'text', type: 'text', content: 'text', attributes: new Map(), data, ...changes };
}

export function fileInput(
  bytes: Uint8Array<ArrayBuffer>,
  changes: Partial<DraftInput> & { readonly file?: string } = {},
): DraftInput {
  const { file = 'img.png', ...rest } = changes;
  return {
    name: 'img',
    type: 'image',
    content: 'bytes',
    attributes: new Map(),
    data: new File([bytes], file),
    ...rest,
  };
}
