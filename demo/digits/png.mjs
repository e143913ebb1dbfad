/** Writes greyscale PNG files whose bytes never depend on the compressor: the pixels are stored, not compressed. */
import { crc32 } from 'node:zlib';

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/**
 * @param {Uint8Array} pixels one byte each, row by row
 * @param {number} side pixels in a row, and rows
 */
export function encodeGreyPng(pixels, side) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 8; // bits per sample; the rest stays 0: greyscale, deflate, not interlaced
  const rows = Buffer.alloc(side * (1 + side)); // each starts with its filter, 0: none
  for (let row = 0; row < side; row++) rows.set(pixels.subarray(row * side, (row + 1) * side), row * (1 + side) + 1);
  return Buffer.concat([
    SIGNATURE,
    encodeChunk('IHDR', header),
    encodeChunk('IDAT', storeZlib(rows)),
    encodeChunk('IEND', Buffer.alloc(0)),
  ]);
}

function encodeChunk(type, data) {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, checksum]);
}

/** One stored block of at most 65,535 bytes. */
function storeZlib(bytes) {
  const header = Buffer.from([0x78, 0x01, 0x01, 0, 0, 0, 0]);
  header.writeUInt16LE(bytes.length, 3);
  header.writeUInt16LE(bytes.length ^ 0xffff, 5);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(adler32(bytes));
  return Buffer.concat([header, bytes, checksum]);
}

function adler32(bytes) {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return high * 0x1_0000 + low;
}
