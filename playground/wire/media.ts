import type { Output } from './answer.js';

const signatures: readonly (readonly [mime: string, at: number, bytes: readonly number[]])[] = [
  ['image/png', 0, [0x89, 0x50, 0x4e, 0x47]],
  ['image/jpeg', 0, [0xff, 0xd8, 0xff]],
  ['image/gif', 0, ascii('GIF8')],
  ['image/webp', 8, ascii('WEBP')],
  ['image/bmp', 0, ascii('BM')],
  ['audio/wav', 8, ascii('WAVE')],
  ['audio/mpeg', 0, ascii('ID3')],
  ['audio/mpeg', 0, [0xff, 0xfb]],
  ['audio/mpeg', 0, [0xff, 0xf3]],
  ['audio/ogg', 0, ascii('OggS')],
  ['audio/flac', 0, ascii('fLaC')],
  ['video/webm', 0, [0x1a, 0x45, 0xdf, 0xa3]],
  ['video/mp4', 4, ascii('ftyp')],
];

/** Something that a browser can show or play. */
export interface Media {
  readonly element: 'img' | 'audio' | 'video';
  readonly mime: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * What an output is, judged by its first bytes: what a service says about them may be wrong. Never HTML, SVG or anything
 * else that a browser would run.
 */
export function mediaOf(
  { type, attributes }: Pick<Output, 'type' | 'attributes'>,
  bytes: Uint8Array<ArrayBuffer>,
): Media | null {
  const encoding = attributes.get('encoding') ?? '';
  const raw = type === 'audio' && /^(raw|pcm)$/i.test(encoding);
  const mime = signatures.find(([, at, signature]) => signature.every((byte, n) => bytes[at + n] === byte))?.[0];
  // Samples may begin as any file does, but for one whose length is in its first line.
  if (mime !== undefined && (!raw || mime === 'audio/wav')) {
    const kind = mime.slice(0, mime.indexOf('/'));
    const element = kind === 'image' ? 'img' : kind === 'audio' || type === 'audio' ? 'audio' : 'video';
    return { element, mime, bytes };
  }
  if (raw && bytes.length > 0) {
    const rate = Number(attributes.get('sample_rate') ?? attributes.get('rate') ?? 16_000);
    return { element: 'audio', mime: 'audio/wav', bytes: withWavHeader(bytes, rate > 0 ? rate : 16_000) };
  }
  return null;
}

const wavHeaderBytes = 44;

/** 16-bit samples of one channel as a file that browsers play. */
function withWavHeader(samples: Uint8Array, rate: number): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(wavHeaderBytes + samples.length);
  const view = new DataView(file.buffer);
  const little = true;
  file.set(ascii('RIFF'), 0);
  view.setUint32(4, wavHeaderBytes - 8 + samples.length, little);
  file.set(ascii('WAVEfmt '), 8);
  view.setUint32(16, 16, little);
  view.setUint16(20, 1, little);
  view.setUint16(22, 1, little);
  view.setUint32(24, rate, little);
  view.setUint32(28, rate * 2, little);
  view.setUint16(32, 2, little);
  view.setUint16(34, 16, little);
  file.set(ascii('data'), 36);
  view.setUint32(40, samples.length, little);
  file.set(samples, wavHeaderBytes);
  return file;
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}
