import type { Json } from '../json.js';
import { asJson, asUpload, type Draft, type DraftInput, requestField, streamHead } from '../wire/request.js';

/** A module that sends the request and prints the answer; it runs in Node.js 20 and in browsers that have the files otherwise. */
export function onceModule(draft: Draft, upload: boolean): string {
  return upload ? uploadModule(draft) : jsonModule(draft);
}

function uploadModule(draft: Draft): string {
  const { request, files } = asUpload(draft);
  return [
    `import { openAsBlob } from 'node:fs';`,
    '',
    `const form = new FormData();`,
    ...(request === null ? [] : [`form.set('${requestField}', JSON.stringify(${indented(request)}));`]),
    ...files.map(
      ({ name, file }) => `form.set(${literal(name)}, await openAsBlob(${literal(file.name)}), ${literal(file.name)});`,
    ),
    '',
    `const response = await fetch(${literal(draft.url)}, {`,
    `  method: 'POST',`,
    `  body: form,`,
    `});`,
    ...reading,
  ].join('\n');
}

function jsonModule(draft: Draft): string {
  const pieces = asJson(draft);
  const [first] = pieces;
  const fromFiles = pieces.length > 1;
  const document = fromFiles || typeof first !== 'string' ? withFiles(pieces) : indented(first, 2);
  return [
    ...(fromFiles ? [`import { readFile } from 'node:fs/promises';`, ''] : []),
    `const response = await fetch(${literal(draft.url)}, {`,
    `  method: 'POST',`,
    `  headers: { 'content-type': 'application/json' },`,
    `  body: JSON.stringify(${document}),`,
    `});`,
    ...reading,
  ].join('\n');
}

/** A document as an expression: where the quotes of a file's base64 would be, the file is read. */
function withFiles(pieces: readonly (string | File)[]): string {
  return pieces
    .map((piece, place) => {
      if (typeof piece !== 'string') return ` await readFile(${literal(piece.name)}, 'base64')`;
      return piece.slice(place === 0 ? 0 : 1, place === pieces.length - 1 ? undefined : -1);
    })
    .join('');
}

const reading = [
  `const { header, payload } = (await response.json()) as {`,
  `  header: { code: number; message: string; sid: string };`,
  `  payload: Record<string, Record<string, unknown>> | null;`,
  `};`,
  'if (header.code !== 0) throw new Error(`${header.code}: ${header.message}`);',
  `console.log(payload);`,
];

export interface StreamPace {
  readonly packetBytes: number;
  /** null for as fast as possible. */
  readonly bytesPerSecond: number | null;
}

/** A module that sends the inputs over a WebSocket and prints the results as they come; for Node.js 22 and later. */
export function streamModule(draft: Draft, { packetBytes, bytesPerSecond }: StreamPace): string {
  const cuts = draft.inputs.map(packetsOf);
  const inputs = draft.inputs.map(({ name, type, attributes }, place) => {
    const first = JSON.stringify(Object.fromEntries(attributes));
    return `  { name: ${literal(name)}, type: ${literal(type)}, attributes: ${first}, packets: ${cuts[place] ?? ''} },`;
  });
  return [
    ...(draft.inputs.some(({ data }) => data instanceof File) ? [`import { readFile } from 'node:fs/promises';`] : []),
    ...(bytesPerSecond === null ? [] : [`import { setTimeout as delay } from 'node:timers/promises';`]),
    '',
    ...(cuts.some((cut) => cut.startsWith('pieces'))
      ? [
          `const size = ${String(packetBytes)};`,
          `const pieces = (bytes: Buffer): Buffer[] =>`,
          `  Array.from({ length: Math.ceil(bytes.length / size) || 1 }, (_, n) => bytes.subarray(n * size, (n + 1) * size));`,
        ]
      : []),
    ...(cuts.some((cut) => cut.startsWith('lines'))
      ? [
          `const lines = (text: string): Buffer[] =>`,
          `  (text.match(/[^\\r\\n]+/g) ?? ['']).map((line) => Buffer.from(line));`,
        ]
      : []),
    `const inputs: { name: string; type: string; attributes: object; packets: Buffer[] }[] = [`,
    ...inputs,
    `];`,
    '',
    `const socket = new WebSocket(${literal(draft.url.replace(/^http/, 'ws'))}, 'aiges.binary');`,
    `socket.binaryType = 'arraybuffer';`,
    `socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => {`,
    `  // A binary frame: length of the document, the document, and the bytes that it names by their number.`,
    `  const frame = typeof data === 'string' ? null : Buffer.from(data);`,
    `  const end = frame === null ? 0 : 4 + frame.readUInt32BE();`,
    `  const text = frame === null ? String(data) : frame.toString('utf8', 4, end);`,
    `  console.log(text, frame?.subarray(end).toString() ?? '');`,
    `};`,
    `socket.onclose = ({ code, reason }) => console.log('closed', code, reason);`,
    `await new Promise((resolve, reject) => {`,
    `  socket.onopen = resolve;`,
    `  socket.onerror = reject;`,
    `});`,
    '',
    `let head: object = ${indented(JSON.stringify(streamHead(draft)))};`,
    ...(bytesPerSecond === null ? [] : [`const start = performance.now();`, `let sent = 0;`]),
    `for (let n = 0; n < Math.max(1, ...inputs.map(({ packets }) => packets.length)); n++) {`,
    `  const now = inputs.filter(({ packets }) => n < packets.length);`,
    `  const payload = now.map(({ name, type, attributes, packets }) => {`,
    `    const status = n === packets.length - 1 ? 2 : n === 0 ? 0 : 1;`,
    `    return [name, { ...(n === 0 ? attributes : {}), [type]: packets[n]?.length, status }];`,
    `  });`,
    `  const document = Buffer.from(JSON.stringify({ ...head, payload: Object.fromEntries(payload) }));`,
    `  const length = Buffer.alloc(4);`,
    `  length.writeUInt32BE(document.length);`,
    `  const data = now.map(({ packets }) => packets[n] ?? Buffer.alloc(0));`,
    `  socket.send(Buffer.concat([length, document, ...data]));`,
    `  head = {};`,
    ...(bytesPerSecond === null
      ? []
      : [
          `  sent += Buffer.concat(data).length;`,
          `  await delay(start + (sent / ${String(bytesPerSecond)}) * 1000 - performance.now());`,
        ]),
    `}`,
  ].join('\n');
}

function packetsOf({ type, content, data }: DraftInput): string {
  if (data instanceof File) {
    const read = `await readFile(${literal(data.name)})`;
    return type === 'image' || content === 'json' ? `[${read}]` : `pieces(${read})`;
  }
  return content === 'json' ? `[Buffer.from(${literal(data)})]` : `lines(${literal(data)})`;
}

/** A JSON text over several lines, where it is long. */
function indented(json: string, indent = 0): string {
  if (json.length <= 100) return literalOf(JSON.parse(json) as Json);
  return JSON.stringify(JSON.parse(json), null, 2).replaceAll('\n', `\n${' '.repeat(indent)}`);
}

function literalOf(value: Json): string {
  return JSON.stringify(value);
}

function literal(text: string): string {
  return JSON.stringify(text);
}
