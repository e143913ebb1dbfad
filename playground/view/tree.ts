import type { Json } from '../json.js';
import { button, element } from './elements.js';
import { foldable, membersOf, pageSize, sizeOf, summaryOf } from './folding.js';

/** Longest piece of a string that a line of the tree shows. */
const longestText = 300;

/** A JSON value with its members folded away. What is folded is not in the page yet: size costs nothing. */
export function jsonTree(value: Json, open = true): HTMLElement {
  return element('div', { class: 'tree' }, line(null, value, open));
}

function line(label: string | null, value: Json, open: boolean): HTMLElement {
  const name = label === null ? null : element('span', { class: 'key' }, `${label}: `);
  if (!foldable(value)) return element('div', { class: 'leaf' }, name, leaf(value));
  const folded = element(
    'details',
    {},
    element('summary', {}, name, element('span', { class: 'size' }, summaryOf(value))),
  );
  const unfold = (): void => {
    folded.append(page(value, 0));
  };
  if (open) {
    folded.open = true;
    unfold();
  } else folded.addEventListener('toggle', unfold, { once: true });
  return folded;
}

function page(value: Json, from: number): DocumentFragment {
  const lines = document.createDocumentFragment();
  const members = membersOf(value, from);
  // A value with few members is no secret.
  lines.append(...members.map((member) => line(member.label, member.value, sizeOf(member.value) <= 4 && from === 0)));
  const next = from + members.length;
  const left = sizeOf(value) - next;
  if (left > 0) {
    const more = button(`Show ${String(Math.min(left, pageSize))} more of ${String(left)}`, () => {
      const added = page(value, next);
      const focus = added.querySelector<HTMLElement>('summary, button');
      more.replaceWith(added);
      focus?.focus();
    });
    lines.append(more);
  }
  return lines;
}

function leaf(value: Json): HTMLElement {
  if (typeof value !== 'string')
    return element('span', { class: value === null ? 'null' : typeof value }, summaryOf(value));
  const text = JSON.stringify(value);
  if (text.length <= longestText) return element('span', { class: 'string' }, text);
  const shown = element('span', { class: 'string' }, `${text.slice(0, longestText)}…`);
  const most = Math.min(text.length, mostText);
  const label = `Show ${most.toLocaleString('en')} of ${text.length.toLocaleString('en')} characters`;
  const more = button(label, () => {
    shown.textContent = text.slice(0, most) + (text.length > most ? '…' : '');
    more.remove();
  });
  return element('span', {}, shown, ' ', more);
}

/** Longest text of a line that was asked for; the text of an output can be shown and downloaded whole elsewhere. */
const mostText = 100_000;
