import { element } from './elements.js';

/** What a field tells about itself. */
export interface FieldText {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Type and limits, in a few words. */
  readonly kind: string;
  readonly required: boolean;
}

export type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** A control with its label, what is said about it, and what is wrong with its value. */
export class Field {
  readonly node: HTMLElement;
  readonly control: Control;
  readonly #fault: HTMLElement;

  /** @param around what stands in place of the control, with the control in it */
  constructor(text: FieldText, control: Control, around: HTMLElement = control) {
    const { id, name, title, description, kind, required } = text;
    this.control = control;
    control.id = id;
    control.required = required;
    control.setAttribute('aria-describedby', `${id}-hint ${id}-fault`);
    const label = element(
      'label',
      { for: id },
      title === '' ? name : title,
      required ? element('span', { class: 'required' }, ' (required)') : null,
    );
    const hint = element('p', { class: 'hint', id: `${id}-hint` });
    if (title !== '' && title !== name) hint.append(element('code', {}, name), ' · ');
    hint.append(kind, description === '' ? '' : ` · ${description}`);
    this.#fault = element('p', { class: 'fault', id: `${id}-fault`, hidden: true });
    const inline = control instanceof HTMLInputElement && control.type === 'checkbox';
    this.node = element('div', { class: inline ? 'field inline' : 'field' });
    if (inline) this.node.append(around, label, hint, this.#fault);
    else this.node.append(label, around, hint, this.#fault);
    control.addEventListener('input', () => {
      this.blame(null);
    });
  }

  /** Says what is wrong; null for nothing. */
  blame(fault: string | null): void {
    this.#fault.hidden = fault === null;
    this.#fault.textContent = fault ?? '';
    if (fault === null) this.control.removeAttribute('aria-invalid');
    else this.control.setAttribute('aria-invalid', 'true');
  }

  /** Says what the browser finds wrong with the value; tells whether there is nothing. */
  check(): boolean {
    const fault = this.control.checkValidity() ? null : this.control.validationMessage;
    this.blame(fault);
    return fault === null;
  }
}
