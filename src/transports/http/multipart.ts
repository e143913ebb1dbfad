import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { AigesError } from '../../core/errors.js';
import { HttpRefusal } from './refusal.js';

/** One part of a form. */
export interface Part {
  readonly name: string;
  /** Whether it came as a file, not as a plain value. */
  readonly file: boolean;
  readonly contentType: string;
  /** A view on the body. */
  readonly data: Buffer;
}

/** Parts of one form: a request has as many inputs and parameters. */
const maxParts = 1000;

/**
 * Takes a form apart. The whole body is in memory: the parts are views on it.
 * @throws AigesError `undecodableBody`, or 413 when it has too many parts
 */
export function parseMultipart(body: Buffer, contentType: string): Promise<readonly Part[]> {
  return new Promise((resolve, reject) => {
    const parts: Part[] = [];
    const fail = (detail: string): void => {
      reject(new AigesError('undecodableBody', { detail: `multipart/form-data: ${detail}` }));
    };
    const boundary = boundaryOf(contentType);
    if (boundary === null) {
      fail('Boundary not found in Content-Type');
      return;
    }
    const parser = openParser(boundary);
    let begun = 0;
    // Both names are absent where the part has none, whatever the types say.
    const onPart = (
      name: string | undefined,
      stream: BusboyFileStream,
      filename: string | undefined,
      encoding: string,
      type: string,
    ): void => {
      begun++;
      const chunks: Buffer[] = [];
      stream.on('error', (error: Error) => {
        fail(error.message);
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const [only = Buffer.alloc(0), ...more] = chunks;
        const data = more.length === 0 ? only : Buffer.concat(chunks);
        const file = filename !== undefined || type === 'application/octet-stream';
        if (name === undefined) fail('a part has no name');
        else if (!['7bit', '8bit', 'binary'].includes(encoding)) {
          fail(`part "${name}" has Content-Transfer-Encoding ${encoding}; send its bytes as they are`);
        } else parts.push({ name, file, contentType: type, data });
      });
    };
    parser.on('file', onPart);
    parser.on('partsLimit', () => {
      reject(new HttpRefusal(413, `the form has more than ${maxParts} parts`));
    });
    parser.on('error', (error: unknown) => {
      fail(error instanceof Error ? error.message : String(error));
    });
    parser.on('finish', () => {
      // The parser says nothing of a part that it cannot place.
      if (begun < countParts(body, boundary)) {
        fail('a part has no header Content-Disposition: form-data that can be read (of 2000 headers and 80 KiB)');
      } else resolve(parts);
    });
    parser.end(body);
  });
}

/** null where there is none. Read here, so that parts are counted by what the parser looks for. */
function boundaryOf(contentType: string): string | null {
  const match = /;\s*boundary=(?:"([!#-[\]-~ ]+)"|([!#-:<-[\]-~]+))/i.exec(contentType);
  return match?.[1] ?? match?.[2] ?? null;
}

function openParser(boundary: string): BusboyInstance {
  return new Busboy({
    headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
    limits: { parts: maxParts },
    // Values are bytes too: the text of an input may be in any charset.
    isPartAFile: () => true,
  });
}

/** How often a part begins; of more than there may be, one more. */
function countParts(body: Buffer, boundary: string): number {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const atOnce = delimiter.subarray(2);
  let behind = body.subarray(0, atOnce.length).equals(atOnce) ? atOnce.length : endOf(delimiter, body, 0);
  let count = 0;
  while (behind !== -1 && count <= maxParts && body.toString('latin1', behind, behind + 2) !== '--') {
    count++;
    behind = endOf(delimiter, body, behind);
  }
  return count;
}

function endOf(delimiter: Buffer, body: Buffer, from: number): number {
  const at = body.indexOf(delimiter, from);
  return at === -1 ? -1 : at + delimiter.length;
}
