import { element } from './elements.js';

/** A list of names and values. */
export function factList(facts: readonly (readonly [name: string, value: string])[]): HTMLElement {
  return element(
    'dl',
    { class: 'fact-list' },
    ...facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}

/** What went wrong, and what to do about it. */
export function failureView(title: string, message: string, advice: string): HTMLElement {
  return element(
    'div',
    { class: 'failure' },
    element('h3', {}, title),
    message === '' ? null : element('p', { class: 'message' }, message),
    element('p', { class: 'advice' }, advice),
  );
}
