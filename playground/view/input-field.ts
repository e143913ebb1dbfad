import type { Body } from '../catalogue.js';
import { parseJson } from '../json.js';
import type { DraftInput } from '../wire/request.js';
import { element } from './elements.js';
import { Field } from './field.js';
import { FilePicker } from './file-picker.js';

export interface InputField {
  readonly node: HTMLElement;
  /** null when it is left empty. */
  read(): DraftInput | null;
  /** Says what is wrong with it; the control to go to, or null. */
  check(): HTMLElement | null;
  /** Lets go of its file. */
  close(): void;
}

/** An input of a service: a text to write, or a file to choose. */
export function inputField(body: Body, id: string): InputField {
  const attributes = attributeFields(body, id);
  return body.type === 'text' ? textField(body, id, attributes) : fileField(body, id, attributes);
}

function textField(body: Body, id: string, attributes: Attributes): InputField {
  const json = body.content === 'json';
  const control = element('textarea', {
    rows: json ? 8 : 5,
    spellcheck: json ? 'false' : 'true',
    class: json ? 'code' : '',
  });
  const field = new Field({ ...body, id, kind: json ? 'JSON' : 'plain text' }, control);
  if (attributes.node !== null) field.node.append(attributes.node);
  return {
    node: field.node,
    read: () => {
      if (control.value === '' && !body.required) return null;
      return {
        name: body.name,
        type: body.type,
        content: body.content,
        attributes: attributes.read(),
        data: control.value,
      };
    },
    check: () => {
      if (!field.check()) return control;
      if (!json || control.value === '' || parseJson(control.value) !== undefined) return null;
      field.blame('This is not JSON.');
      return control;
    },
    close: () => undefined,
  };
}

function fileField(body: Body, id: string, attributes: Attributes): InputField {
  const picker = new FilePicker();
  const field = new Field({ ...body, id, kind: `${body.type} file` }, picker.control, picker.node);
  if (attributes.node !== null) field.node.append(attributes.node);
  return {
    node: field.node,
    read: () => {
      const { file } = picker;
      if (file === null) return null;
      return { name: body.name, type: body.type, content: body.content, attributes: attributes.read(), data: file };
    },
    check: () => {
      const missing = body.required && picker.file === null;
      field.blame(missing ? 'Choose a file.' : null);
      return missing ? picker.control : null;
    },
    close: () => {
      picker.clear();
    },
  };
}

interface Attributes {
  readonly node: HTMLElement | null;
  /** Those that differ from what the service takes for granted. */
  read(): ReadonlyMap<string, string>;
}

function attributeFields({ name, attributes }: Body, id: string): Attributes {
  if (attributes.size === 0) return { node: null, read: () => new Map() };
  const controls = [...attributes].map(([key, value], place) => {
    const control = element('input', {
      type: 'text',
      id: `${id}-attribute-${String(place)}`,
      value,
      autocomplete: 'off',
      spellcheck: 'false',
    });
    return { key, value, control };
  });
  return {
    node: element(
      'details',
      { class: 'attributes' },
      element('summary', {}, `Attributes of ${name}`),
      ...controls.map(({ key, control }) =>
        element('div', { class: 'field' }, element('label', { for: control.id }, key), control),
      ),
    ),
    read: () =>
      new Map(
        controls
          .filter(({ value, control }) => control.value !== value)
          .map(({ key, control }) => [key, control.value]),
      ),
  };
}
