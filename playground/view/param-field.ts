import type { Param, ParamValue } from '../catalogue.js';
import { element } from './elements.js';
import { type Control, Field } from './field.js';
import { limitsOf, paramValue } from './param-value.js';

export interface ParamField {
  readonly param: Param;
  readonly field: Field;
  /** What a request says about it; undefined when it says nothing. */
  read(): ParamValue | undefined;
}

/** A parameter as a check box, a list to choose from, or a line to fill in. */
export function paramField(param: Param, id: string): ParamField {
  const { name, type, title, description, required, enums, fallback } = param;
  const kind = [type, ...limitsOf(param)].join(', ');
  const field = new Field(
    // A check box that must be ticked would be no question.
    { id, name, title, description, kind, required: required && type !== 'boolean' },
    controlFor(param),
  );
  const { control } = field;
  return {
    param,
    field,
    read: () => {
      if (control instanceof HTMLInputElement && control.type === 'checkbox') {
        return required || control.checked !== (fallback === true) ? control.checked : undefined;
      }
      if (enums.length > 0)
        return enums[Number(control.value)] === fallback ? undefined : enums[Number(control.value || NaN)];
      return paramValue(param, control.value);
    },
  };
}

function controlFor(param: Param): Control {
  const { type, enums, fallback, minimum, maximum, minLength, maxLength, required } = param;
  if (type === 'boolean') return element('input', { type: 'checkbox', checked: fallback === true });
  if (enums.length > 0) return choice(param);
  const value = fallback === null ? '' : String(fallback);
  if (type === 'string') {
    return element('input', {
      type: 'text',
      value,
      autocomplete: 'off',
      spellcheck: 'false',
      // Empty is the same as absent, unless it must be there.
      ...(minLength === null || !required ? {} : { minlength: minLength }),
      ...(maxLength === null ? {} : { maxlength: maxLength }),
    });
  }
  return element('input', {
    type: 'number',
    value,
    step: type === 'integer' ? 1 : 'any',
    inputmode: type === 'integer' ? 'numeric' : 'decimal',
    autocomplete: 'off',
    ...(minimum === null ? {} : { min: minimum }),
    ...(maximum === null ? {} : { max: maximum }),
  });
}

/** Options are known by their place: values may be numbers, or equal as text. */
function choice({ enums, fallback, required }: Param): HTMLSelectElement {
  const none = fallback === null ? [element('option', { value: '' }, required ? 'Choose…' : 'Not set')] : [];
  const options = enums.map((value, place) =>
    element('option', { value: place, selected: value === fallback }, String(value)),
  );
  return element('select', {}, ...none, ...options);
}
