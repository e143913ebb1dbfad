/** As many bytes as one call takes as arguments. */
const step = 0x8000;

export function encodeBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    pieces.push(String.fromCharCode(...bytes.subarray(at, at + step)));
  }
  return btoa(pieces.join(''));
}

/** @throws Error when it is not base64 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

export function encodeText(text: string): string {
  return encodeBase64(new TextEncoder().encode(text));
}
