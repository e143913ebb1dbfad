import type { Json } from '../json.js';
import { parseJson } from '../json.js';
import type { Output } from '../wire/answer.js';
import { type Media, mediaOf } from '../wire/media.js';
import { element } from './elements.js';
import { longText } from './long-text.js';
import { jsonTree } from './tree.js';
import { formatBytes } from './units.js';

/** Keeps the URLs of what is shown, so that the memory behind them can go with it. */
export class ObjectUrls {
  readonly #urls: string[] = [];

  make(bytes: BlobPart, mime: string): string {
    const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
    this.#urls.push(url);
    return url;
  }

  release(): void {
    for (const url of this.#urls.splice(0)) URL.revokeObjectURL(url);
  }
}

/** An output with its name and attributes. */
export function outputView(output: Output, urls: ObjectUrls): HTMLElement {
  const { name, type, attributes } = output;
  const facts = [
    type,
    ...[...attributes].filter(([key]) => key !== 'seq' && key !== 'status').map((pair) => pair.join(' ')),
  ];
  return element(
    'article',
    { class: 'output' },
    element('h3', {}, name, ' ', element('span', { class: 'facts' }, facts.join(' · '))),
    outputData(output, urls),
  );
}

/** What an output holds: shown, played, folded, or to be downloaded. */
export function outputData(output: Output, urls: ObjectUrls): HTMLElement {
  const { data } = output;
  if (data.kind === 'json') return jsonTree(data.value);
  if (data.kind === 'bytes') return bytesView(output, data.bytes, urls);
  const value = jsonIn(data.text);
  if (value === undefined) {
    return data.text === '' ? element('p', { class: 'hint' }, 'Empty') : textView(output, data.text, urls);
  }
  return element(
    'div',
    {},
    jsonTree(value),
    element('p', { class: 'downloads' }, download(output.name, 'json', new TextEncoder().encode(data.text), urls)),
  );
}

/** The value of a text that is a JSON object or array. */
export function jsonIn(text: string): Json | undefined {
  return /^\s*[[{]/.test(text) ? parseJson(text) : undefined;
}

function textView({ name }: Output, text: string, urls: ObjectUrls): HTMLElement {
  if (text.length < longEnough) return longText(text);
  return element(
    'div',
    {},
    longText(text),
    element('p', { class: 'downloads' }, download(name, 'txt', new TextEncoder().encode(text), urls)),
  );
}

/** Characters from which on a text is worth a download. */
const longEnough = 2000;

function bytesView(output: Output, bytes: Uint8Array<ArrayBuffer>, urls: ObjectUrls): HTMLElement {
  const media = mediaOf(output, bytes);
  // Samples are played as a file, but downloaded as they are.
  const extension = media === null ? 'bin' : media.bytes === bytes ? (media.mime.split('/')[1] ?? 'bin') : 'pcm';
  const link = element('p', { class: 'downloads' }, download(output.name, extension, bytes, urls));
  return media === null ? link : element('div', {}, player(output.name, media, urls), link);
}

function player(name: string, { element: tag, mime, bytes }: Media, urls: ObjectUrls): HTMLElement {
  const src = urls.make(bytes, mime);
  const made =
    tag === 'img'
      ? element('img', { src, alt: `Output ${name}` })
      : element(tag, { src, controls: true, 'aria-label': `Output ${name}` });
  made.addEventListener('error', () => {
    made.replaceWith(element('p', { class: 'hint' }, `This browser cannot show ${mime}.`));
  });
  return made;
}

function download(name: string, extension: string, bytes: Uint8Array<ArrayBuffer>, urls: ObjectUrls): HTMLElement {
  // Of no type that a browser would open: what is in it is not ours.
  const href = urls.make(bytes, 'application/octet-stream');
  const file = `${name.replaceAll(/[^\w.-]+/g, '_')}.${extension}`;
  return element('a', { href, download: file, class: 'download' }, `Download ${file} (${formatBytes(bytes.length)})`);
}
