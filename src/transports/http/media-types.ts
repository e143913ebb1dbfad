import { DataType, type DataTypeName, type StringMap } from '../../core/frame.js';

/** A kind of data as attributes name it (`encoding`), and as HTTP does. */
interface MediaType {
  readonly type: DataTypeName;
  readonly encodings: readonly string[];
  readonly media: string;
}

/** Raw samples and frames without a container are not here: no media type says what they are. */
const known: readonly MediaType[] = [
  { type: 'image', encodings: ['png'], media: 'image/png' },
  { type: 'image', encodings: ['jpg', 'jpeg'], media: 'image/jpeg' },
  { type: 'image', encodings: ['gif'], media: 'image/gif' },
  { type: 'image', encodings: ['bmp'], media: 'image/bmp' },
  { type: 'image', encodings: ['webp'], media: 'image/webp' },
  { type: 'image', encodings: ['tiff', 'tif'], media: 'image/tiff' },
  { type: 'audio', encodings: ['wav'], media: 'audio/wav' },
  { type: 'audio', encodings: ['wav'], media: 'audio/x-wav' },
  { type: 'audio', encodings: ['mp3', 'lame'], media: 'audio/mpeg' },
  { type: 'audio', encodings: ['ogg', 'ogg-opus', 'opus-ogg'], media: 'audio/ogg' },
  { type: 'audio', encodings: ['flac'], media: 'audio/flac' },
  { type: 'audio', encodings: ['aac'], media: 'audio/aac' },
  { type: 'video', encodings: ['mp4'], media: 'video/mp4' },
  { type: 'video', encodings: ['webm'], media: 'video/webm' },
  { type: 'text', encodings: ['json'], media: 'application/json' },
  { type: 'text', encodings: ['utf8', 'utf-8'], media: 'text/plain; charset=utf-8' },
  { type: 'text', encodings: ['gbk'], media: 'text/plain; charset=gbk' },
  { type: 'text', encodings: ['gb2312'], media: 'text/plain; charset=gb2312' },
];

/** The type of an answer that is one output. */
export function mediaTypeOf(type: number, attributes: StringMap): string {
  const compress = attributes.get('compress') ?? '';
  if (compress === '' || compress === 'raw') {
    const isText = type === DataType.text;
    if (isText && attributes.get('format') === 'json') return 'application/json';
    const encoding = attributes.get('encoding')?.toLowerCase() ?? (isText ? 'utf8' : '');
    const found = known.find((each) => DataType[each.type] === type && each.encodings.includes(encoding));
    if (found !== undefined) return found.media;
  }
  return 'application/octet-stream';
}

/** What kind of data a Content-Type says; anything that it does not say is "other". */
export function dataTypeOf(contentType: string): DataTypeName {
  const family = mediaTypeName(contentType).split('/')[0];
  return family === 'image' || family === 'audio' || family === 'video' || family === 'text' ? family : 'other';
}

/** The attribute `encoding` that says the same as a Content-Type; null when none does. */
export function encodingOf(contentType: string): string | null {
  return find(contentType)?.encodings[0] ?? null;
}

/** Whether an encoding is one that a Content-Type allows for. */
export function isEncoding(encoding: string, contentType: string): boolean {
  return find(contentType)?.encodings.includes(encoding.toLowerCase()) ?? false;
}

/** `type/subtype` in lower case; empty where the text is no media type at all. */
export function mediaTypeName(contentType: string): string {
  const name = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(name) ? name : '';
}

function find(contentType: string): MediaType | undefined {
  const charset = /;\s*charset="?([\w-]+)/i.exec(contentType)?.[1];
  const media = mediaTypeName(contentType) + (charset === undefined ? '' : `; charset=${charset.toLowerCase()}`);
  return known.find((each) => each.media === media);
}
