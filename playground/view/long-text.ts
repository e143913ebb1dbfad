import { button, element } from './elements.js';

/** Characters that are shown at first. */
const firstPart = 20_000;
/** Characters of one block: what is not in sight costs the browser nothing. */
const blockSize = 20_000;

/** A text of any length. What is long is cut, with a button that shows the rest. */
export function longText(text: string): HTMLElement {
  const blocks = element('div', { class: 'text', tabindex: 0, role: 'group', 'aria-label': 'Text' });
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at += blockSize) {
      blocks.append(element('pre', { class: 'block' }, text.slice(at, Math.min(at + blockSize, to))));
    }
  };
  add(0, Math.min(text.length, firstPart));
  if (text.length <= firstPart) return blocks;
  const more = element(
    'p',
    { class: 'more' },
    `The first ${firstPart.toLocaleString('en')} of ${text.length.toLocaleString('en')} characters. `,
    button('Show all', () => {
      add(firstPart, text.length);
      more.remove();
      blocks.focus();
    }),
  );
  return element('div', {}, blocks, more);
}
