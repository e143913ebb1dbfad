import { describe, expect, it } from 'vitest';
import { mediaOf } from '../../../../playground/wire/media.js';

const plain = new Map<string, string>();

describe('what can be shown', () => {
  it.each(['<html><script>', '<svg onload="alert(1)">', '%PDF-1.7', '', 'plain text'])('is not %j', (text) => {
    expect(
      mediaOf({ type: 'image', attributes: new Map([['encoding', 'png']]) }, new TextEncoder().encode(text)),
    ).toBeNull();
  });

  it('is told by its first bytes, whatever its service says', () => {
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d]);
    expect(mediaOf({ type: 'other', attributes: plain }, png)).toMatchObject({ element: 'img', mime: 'image/png' });
    const mp4 = new Uint8Array([0, 0, 0, 32, ...new TextEncoder().encode('ftypisom')]);
    expect(mediaOf({ type: 'video', attributes: plain }, mp4)).toMatchObject({ element: 'video' });
    expect(mediaOf({ type: 'audio', attributes: plain }, mp4)).toMatchObject({ element: 'audio' });
  });

  it('is raw sound, with the header that players want', () => {
    // As an MP3 file begins.
    const samples = new Uint8Array([0xff, 0xfb, 0, 0]);
    const attributes = new Map([
      ['encoding', 'raw'],
      ['sample_rate', '8000'],
    ]);
    const media = mediaOf({ type: 'audio', attributes }, samples);
    expect(media).toMatchObject({ element: 'audio', mime: 'audio/wav' });
    const file = Buffer.from(media?.bytes ?? []);
    expect(file.toString('latin1', 0, 4) + file.toString('latin1', 8, 16)).toBe('RIFFWAVEfmt ');
    expect([file.readUInt32LE(4), file.readUInt32LE(24), file.readUInt32LE(28), file.readUInt32LE(40)]).toEqual([
      40, 8000, 16_000, 4,
    ]);
    expect(file.subarray(44)).toEqual(Buffer.from(samples));
    expect(mediaOf({ type: 'audio', attributes: plain }, new Uint8Array([1, 2, 3, 4]))).toBeNull();
  });
});
