import { adviceFor } from '../call/advice.js';
import type { OnceCall } from '../call/once.js';
import { element } from './elements.js';
import { factList, failureView } from './facts.js';
import { longText } from './long-text.js';
import type { Outcome } from './outcome.js';
import { type ObjectUrls, outputView } from './output.js';
import { jsonTree } from './tree.js';
import { statusText } from './status.js';
import { formatBytes, formatMs } from './units.js';

/** The answer of one request: what it says, and everything that came with it. */
export function onceView(call: OnceCall, urls: ObjectUrls): HTMLElement {
  const { http, answer, document, body, firstMs, totalMs, bytes } = call;
  const facts: [string, string][] = [
    ['Code', answer === null ? '–' : String(answer.code)],
    ['Status', statusText(answer?.status ?? null)],
    ['HTTP', `${String(http.status)} ${http.text}`.trim()],
    ['First byte', formatMs(firstMs)],
    ['Total', formatMs(totalMs)],
    ['Size', formatBytes(bytes)],
    ['Session', answer === null || answer.sid === '' ? '–' : answer.sid],
  ];
  return element(
    'div',
    {},
    factList(facts),
    ...failureOf(call),
    ...(answer?.outputs ?? []).map((output) => outputView(output, urls)),
    answer?.code === 0 && answer.outputs.length === 0
      ? element('p', { class: 'hint' }, 'The answer has no outputs.')
      : null,
    element(
      'details',
      { class: 'raw' },
      element('summary', {}, 'Whole answer'),
      document === undefined ? longText(body) : jsonTree(document),
    ),
  );
}

/** Whether the service has answered, in a few words. */
export function onceSummary({ http, answer, totalMs }: OnceCall): Outcome {
  if (answer === null) return { text: `Failed with HTTP status ${String(http.status)}`, mood: 'bad' };
  if (answer.code !== 0) return { text: `Failed with code ${String(answer.code)}`, mood: 'bad' };
  return { text: `Answered in ${formatMs(totalMs)}`, mood: 'good' };
}

function failureOf({ http, answer, retryAfter, body }: OnceCall): HTMLElement[] {
  if (answer === null) {
    const advice = adviceFor({ httpStatus: http.status, code: null, retryAfter });
    return [failureView(`HTTP ${String(http.status)}: not an answer of the loader`, body.slice(0, 300), advice)];
  }
  if (answer.code === 0) return [];
  const advice = adviceFor({ httpStatus: http.status, code: answer.code, retryAfter });
  return [failureView(`Error ${String(answer.code)}`, answer.message, advice)];
}
