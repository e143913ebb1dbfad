import { asJson, asUpload, type Draft, requestField } from '../wire/request.js';
import { quote } from './shell.js';

export interface CurlOptions {
  /** Whether files go as a form upload, not as base64 in JSON. */
  readonly upload: boolean;
  /** Whether the results are to come one after another, as server-sent events. */
  readonly stream: boolean;
}

/** A command for a POSIX shell that sends the request with curl. Files are named, not included: their folder is the current one. */
export function curlCommand(draft: Draft, { upload, stream }: CurlOptions): string {
  const options = stream ? [`-N -H ${quote('Accept: text/event-stream')}`] : [];
  if (upload) {
    const { request, files } = asUpload(draft);
    // --form-string takes the text as it is; -F would read ";" and "@" in it.
    if (request !== null) options.push(`--form-string ${quote(`${requestField}=${request}`)}`);
    for (const { name, file } of files) options.push(`-F ${quote(formPart(name, file.name))}`);
    return command(draft.url, options);
  }
  options.push(`-H ${quote('Content-Type: application/json')}`);
  const pieces = asJson(draft);
  const [only = ''] = pieces;
  if (pieces.length === 1 && typeof only === 'string' && only.length <= longestArgument) {
    return command(draft.url, [...options, `--data-raw ${quote(only)}`]);
  }
  const parts = pieces.map((piece) =>
    typeof piece === 'string' ? `printf %s ${quote(piece)}` : `base64 < ${quote(path(piece.name))} | tr -d '\\n'`,
  );
  return `{ ${parts.join('\n  ')}\n} | ${command(draft.url, [...options, '--data-binary @-'])}`;
}

/** Kernels take no argument beyond 128 KiB; what shells do themselves has no limit. */
const longestArgument = 100_000;

/** A command of this length needs no second line. */
const shortLine = 76;

function command(url: string, options: readonly string[]): string {
  const words = ['curl', ...options, quote(url)];
  const line = words.join(' ');
  return line.length <= shortLine ? line : words.join(' \\\n  ');
}

function formPart(name: string, fileName: string): string {
  return `${name}=@${/[;,"\\]/.test(fileName) ? inQuotes(path(fileName)) : path(fileName)}`;
}

/** As curl reads a file name in a form part. */
function inQuotes(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** A file name that no program takes for an option or for standard input. */
function path(name: string): string {
  return name.startsWith('-') ? `./${name}` : name;
}
