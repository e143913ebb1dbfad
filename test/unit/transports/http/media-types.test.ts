import { describe, expect, it } from 'vitest';
import { DataType } from '../../../../src/core/frame.js';
import {
  dataTypeOf,
  encodingOf,
  isEncoding,
  mediaTypeName,
  mediaTypeOf,
} from '../../../../src/transports/http/media-types.js';

describe('mediaTypeOf', () => {
  it.each([
    [DataType.image, { encoding: 'png' }, 'image/png'],
    [DataType.image, { encoding: 'JPG' }, 'image/jpeg'],
    [DataType.image, { encoding: 'jpeg' }, 'image/jpeg'],
    [DataType.image, { encoding: 'heic' }, 'application/octet-stream'],
    [DataType.image, {}, 'application/octet-stream'],
    [DataType.audio, { encoding: 'wav' }, 'audio/wav'],
    [DataType.audio, { encoding: 'lame' }, 'audio/mpeg'],
    [DataType.audio, { encoding: 'raw' }, 'application/octet-stream'],
    [DataType.video, { encoding: 'mp4' }, 'video/mp4'],
    [DataType.text, {}, 'text/plain; charset=utf-8'],
    [DataType.text, { encoding: 'gb2312' }, 'text/plain; charset=gb2312'],
    [DataType.text, { encoding: 'utf8', format: 'plain', compress: 'raw' }, 'text/plain; charset=utf-8'],
    [DataType.text, { encoding: 'utf8', format: 'json' }, 'application/json'],
    [DataType.text, { encoding: 'utf8', compress: 'gzip' }, 'application/octet-stream'],
    [DataType.other, { encoding: 'png' }, 'application/octet-stream'],
    [99, {}, 'application/octet-stream'],
  ])('type %d with %o is %s', (type, attributes, media) => {
    expect(mediaTypeOf(type, new Map(Object.entries(attributes)))).toBe(media);
  });
});

describe('what a Content-Type says', () => {
  it.each([
    ['image/png', 'image', 'png'],
    ['Image/PNG; name=x', 'image', 'png'],
    ['image/jpeg', 'image', 'jpg'],
    ['audio/x-wav', 'audio', 'wav'],
    ['video/mp4', 'video', 'mp4'],
    ['text/plain; charset="UTF-8"', 'text', 'utf8'],
    ['text/plain', 'text', null],
    ['text/plain; charset=koi8-r', 'text', null],
    ['application/pdf', 'other', null],
    ['', 'other', null],
  ])('%s: %s, encoding %s', (contentType, type, encoding) => {
    expect(dataTypeOf(contentType)).toBe(type);
    expect(encodingOf(contentType)).toBe(encoding);
  });

  it('has several names for one thing', () => {
    expect(isEncoding('JPEG', 'image/jpeg')).toBe(true);
    expect(isEncoding('png', 'image/jpeg')).toBe(false);
    expect(isEncoding('png', 'image/unknown')).toBe(false);
  });

  it.each(['abc', ';;', '', 'a/b/c', '/', 'image /png'])('%j is no media type', (text) => {
    expect(mediaTypeName(text)).toBe('');
  });
});
