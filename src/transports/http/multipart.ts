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
    const parser = openParser(contentType, fail);
    if (parser === null) return;
    // Both names are absent where the part has none, whatever the types say.
    const onPart = (
      name: string | undefined,
      stream: BusboyFileStream,
      filename: string | undefined,
      encoding: string,
      type: string,
    ): void => {
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
      resolve(parts);
    });
    parser.end(body);
  });
}

/** null when the header cannot be used, which has been told then. */
function openParser(contentType: string, fail: (detail: string) => void): BusboyInstance | null {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: { parts: maxParts },
      // Values are bytes too: the text of an input may be in any charset.
      isPartAFile: () => true,
    });
  } catch (error) {
    fail((error as Error).message);
    return null;
  }
}
