/** What an answer can look like: the JSON document, results as server-sent events, or the bytes of the one output. */
export type Form = 'json' | 'events' | 'bytes';

interface Range {
  /** In lower case, without parameters. */
  readonly type: string;
  readonly quality: number;
}

/** Pages ask for these where they navigate; nothing here is one of them. */
const pages = new Set(['text/html', 'application/xhtml+xml', 'application/xml']);

/**
 * Chooses what the client likes best (RFC 9110, 12.5.1).
 * @param accept the header; a client without one takes JSON
 * @param offered what there is; the first one wins where the client does not care
 * @returns null when the client takes nothing of it
 */
export function negotiate(accept: string | undefined, offered: readonly Form[]): Form | null {
  const ranges = accept === undefined || accept.trim() === '' ? [anything] : accept.split(',').flatMap(parseRange);
  let best: Form | null = null;
  let highest = 0;
  for (const form of offered) {
    const quality = qualities[form](ranges);
    if (quality <= highest) continue;
    best = form;
    highest = quality;
  }
  return best;
}

const anything: Range = { type: '*/*', quality: 1 };

/** How much a client likes each form, from 0 to 1. */
const qualities: Readonly<Record<Form, (ranges: readonly Range[]) => number>> = {
  json: (ranges) => {
    const [named] = ['application/json', 'application/*', '*/*']
      .map((type) => ranges.find((range) => range.type === type))
      .filter((range) => range !== undefined);
    return named?.quality ?? 0;
  },
  // "*/*" does not mean it: who can read events says so.
  events: (ranges) => ranges.find(({ type }) => type === 'text/event-stream')?.quality ?? 0,
  // The type of an output is known when it is there: any type of data asks for it as it is.
  bytes: (ranges) => Math.max(0, ...ranges.filter(({ type }) => namesData(type)).map(({ quality }) => quality)),
};

function namesData(type: string): boolean {
  const others = ['*/*', 'application/*', 'application/json', 'text/event-stream'];
  return !others.includes(type) && !type.endsWith('+json') && !pages.has(type);
}

/** One range, or none where the text is not one. */
function parseRange(text: string): Range[] {
  const [type = '', ...parameters] = text.split(';').map((piece) => piece.trim().toLowerCase());
  if (!/^[^\s/]+\/[^\s/]+$/.test(type)) return [];
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = weight === undefined ? 1 : Number(weight.slice(2));
  return [{ type, quality: Number.isNaN(quality) ? 1 : Math.min(1, Math.max(0, quality)) }];
}
