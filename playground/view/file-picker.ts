import { button, element } from './elements.js';
import { formatBytes } from './units.js';

/** Chooses a file: from a dialog, or dropped. Shows what was chosen, and tells the form with `input` events. */
export class FilePicker {
  readonly node: HTMLElement;
  readonly control: HTMLInputElement;
  readonly #preview = element('div', { class: 'preview', hidden: true });
  #file: File | null = null;
  #url: string | null = null;

  constructor() {
    this.control = element('input', { type: 'file' });
    this.node = element(
      'div',
      { class: 'drop' },
      this.control,
      element('span', { class: 'drop-hint', 'aria-hidden': 'true' }, 'or drop a file here'),
      this.#preview,
    );
    this.control.addEventListener('change', () => {
      const [file] = this.control.files ?? [];
      // A dialog that was cancelled takes nothing away.
      if (file !== undefined) this.#take(file);
    });
    this.node.addEventListener('dragover', (event) => {
      event.preventDefault();
      this.node.classList.add('over');
    });
    this.node.addEventListener('dragleave', () => {
      this.node.classList.remove('over');
    });
    this.node.addEventListener('drop', (event) => {
      event.preventDefault();
      this.node.classList.remove('over');
      const [file] = event.dataTransfer?.files ?? [];
      if (file === undefined) return;
      // So that the control says what is sent, and a form that needs a file has one.
      if (event.dataTransfer !== null) this.control.files = event.dataTransfer.files;
      this.#take(file);
    });
  }

  get file(): File | null {
    return this.#file;
  }

  /** Lets go of the file and the memory of its preview. */
  clear(): void {
    this.#file = null;
    this.control.value = '';
    this.#preview.hidden = true;
    this.#preview.replaceChildren();
    if (this.#url !== null) URL.revokeObjectURL(this.#url);
    this.#url = null;
  }

  #take(file: File): void {
    this.#file = file;
    if (this.#url !== null) URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(file);
    const remove = button('Remove', () => {
      this.clear();
      this.#tell();
      this.control.focus();
    });
    const size = element('span', { class: 'facts' }, formatBytes(file.size));
    this.#preview.replaceChildren(...shown(file, this.#url), size, remove);
    this.#preview.hidden = false;
    this.#tell();
  }

  /** To the form around it: a file that was dropped, or removed, is no event of the control's own. */
  #tell(): void {
    this.control.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

function shown(file: File, url: string): HTMLElement[] {
  const kind = file.type.slice(0, file.type.indexOf('/'));
  if (kind !== 'image' && kind !== 'audio' && kind !== 'video') return [];
  const made =
    kind === 'image'
      ? element('img', { src: url, alt: `Preview of ${file.name}` })
      : element(kind, { src: url, controls: true, 'aria-label': `Preview of ${file.name}` });
  // A file that is not what its name says is sent all the same.
  made.addEventListener('error', () => {
    made.remove();
  });
  return [made];
}
