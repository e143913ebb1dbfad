import { dataTypes, type Body, type DataTypeName } from '../catalogue.js';
import { isObject, type JsonObject, parseJson } from '../json.js';
import { element } from './elements.js';
import { Field } from './field.js';
import { inputField, type InputField } from './input-field.js';

export interface RawRequest {
  readonly node: HTMLElement;
  /** What the request begins with. */
  read(): JsonObject;
  check(): HTMLElement | null;
}

/** The request as JSON, for a service that does not say what it takes. */
export function rawRequest(service: string): RawRequest {
  const start = JSON.stringify({ header: {}, parameter: { [service]: {} }, payload: {} }, null, 2);
  const control = element('textarea', { rows: 8, spellcheck: 'false', class: 'code' });
  control.value = start;
  const text = { id: 'raw-request', name: 'Request', title: '', kind: 'JSON', required: false };
  const field = new Field(
    { ...text, description: 'header, parameter and payload; the input below is put into it' },
    control,
  );
  return {
    node: field.node,
    read: () => {
      const value = parseJson(control.value);
      return isObject(value) ? value : {};
    },
    check: () => {
      if (isObject(parseJson(control.value))) return null;
      field.blame('This is not a JSON object.');
      return control;
    },
  };
}

/** An input of any name and type. */
export function genericInput(): InputField {
  const name = new Field(
    { id: 'generic-name', name: 'Name', title: '', description: '', kind: 'as the service knows it', required: false },
    element('input', { type: 'text', value: 'data', autocomplete: 'off', spellcheck: 'false' }),
  );
  const options = dataTypes.map((type) => element('option', { selected: type === 'text' }, type));
  const type = new Field(
    { id: 'generic-type', name: 'Type', title: '', description: '', kind: 'text to write, or a file', required: false },
    element('select', {}, ...options),
  );
  const place = element('div');
  const make = (): InputField => {
    const chosen = dataTypes.find((candidate) => candidate === type.control.value) ?? 'other';
    return inputField(anyBody(chosen), 'generic-data');
  };
  let data = make();
  place.replaceChildren(data.node);
  type.control.addEventListener('change', () => {
    data.close();
    data = make();
    place.replaceChildren(data.node);
  });
  return {
    node: element('div', { class: 'generic' }, element('div', { class: 'pair' }, name.node, type.node), place),
    read: () => {
      const read = data.read();
      return read === null ? null : { ...read, name: name.control.value };
    },
    check: () => {
      if (data.read() === null || name.control.value !== '') return data.check();
      name.blame('An input needs a name.');
      return name.control;
    },
    close: () => {
      data.close();
    },
  };
}

function anyBody(type: DataTypeName): Body {
  return {
    name: 'Data',
    type,
    content: type === 'text' ? 'text' : 'bytes',
    required: false,
    title: '',
    description: '',
    attributes: new Map(),
  };
}
