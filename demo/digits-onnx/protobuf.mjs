/** Writes protobuf messages: a message is its fields, one after the other. */

/** @param {number} value not negative */
function varint(value) {
  const bytes = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** An integer or an enum. */
export function integer(field, value) {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** Bytes, a string or another message. */
export function bytes(field, value) {
  const content = Buffer.from(value);
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

export const message = (...fields) => Buffer.concat(fields.flat());
