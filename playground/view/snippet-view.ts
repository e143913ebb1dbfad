import { button, element } from './elements.js';

/** A piece of code with a button that copies it. */
export class SnippetView {
  readonly node: HTMLElement;
  readonly #code: HTMLElement;
  readonly #note = element('span', { class: 'note', role: 'status' });

  constructor(title: string, id: string) {
    this.#code = element('pre', { class: 'snippet', tabindex: 0, role: 'group', 'aria-label': title, id });
    const copy = button('Copy', () => {
      void this.#copy();
    });
    copy.setAttribute('aria-label', `Copy ${title}`);
    this.node = element(
      'div',
      { class: 'snippet-box' },
      element('div', { class: 'bar' }, element('h3', {}, title), this.#note, copy),
      this.#code,
    );
  }

  show(code: string): void {
    if (this.#code.textContent === code) return;
    this.#code.textContent = code;
    this.#note.textContent = '';
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#code.textContent);
      this.#note.textContent = 'Copied';
    } catch {
      // Pages without TLS that are not from this machine may not write to the clipboard.
      getSelection()?.selectAllChildren(this.#code);
      this.#note.textContent = 'Selected: press Ctrl+C';
    }
  }
}
