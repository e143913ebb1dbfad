import { DataType } from '../core/frame.js';
import { describeJson, formatPath, isObject } from '../core/json.js';
import { byteRules, type ErrorObject, keysOf } from './rules.js';

/** More than these would bury the one that matters. */
const most = 3;
/** Errors that are looked at. A schema may find as many as the value is long. */
const mostLookedAt = 100;

/**
 * One line about what is wrong with a value: the path, the rule, and what was found, for the first few faults.
 * @param rename turns keys into those of the request, where rules were checked on another one
 */
export function describeFaults(errors: readonly ErrorObject[], rename = (keys: readonly string[]) => keys): string {
  const lookedAt = errors.slice(0, mostLookedAt);
  const faults = [...new Set(withoutFollowers(lookedAt).map((error) => describeFault(error, rename)))];
  const left = errors.length > mostLookedAt ? 'and more' : `and ${faults.length - most} more`;
  const more = faults.length > most || errors.length > mostLookedAt ? [left] : [];
  return [...faults.slice(0, most), ...more].join('; ');
}

const composing = ['anyOf', 'oneOf'];

/** Leaves out what only says again, or beside the point, that something deeper is wrong. */
function withoutFollowers(errors: readonly ErrorObject[]): ErrorObject[] {
  let left = [...errors];
  for (const error of errors) {
    const others = left.filter((other) => other !== error);
    if (error.keyword === 'if' && others.length > 0) left = others;
    if (!composing.includes(error.keyword)) continue;
    // An alternative for values of another type was not meant.
    const inside = others.filter(({ schemaPath }) => schemaPath.startsWith(`${error.schemaPath}/`));
    const meant = inside.filter(
      ({ keyword, instancePath }) => keyword !== 'type' || instancePath !== error.instancePath,
    );
    const gone = new Set(meant.length > 0 ? [error, ...inside.filter((each) => !meant.includes(each))] : inside);
    left = left.filter((each) => !gone.has(each));
  }
  const mistyped = new Set(left.filter(({ keyword }) => keyword === 'type').map(({ instancePath }) => instancePath));
  return left.filter(({ keyword, instancePath }) => keyword === 'type' || !mistyped.has(instancePath));
}

function describeFault(error: ErrorObject, rename: (keys: readonly string[]) => readonly string[]): string {
  const keys = keysOf(error.instancePath);
  const params = error.params as Readonly<Record<string, unknown>>;
  const at = (inner: readonly string[] = []): string => formatPath(rename([...keys, ...inner])) || 'the body';
  const { keyword, data: found } = error;
  if (keyword === 'required' || keyword === 'dependencies') {
    const missing = String(params['missingProperty']);
    const other = isDataOf(keys, missing) ? otherData(found, missing) : null;
    return other === null ? `${at([missing])} is missing` : `${at()} must hold ${missing} data, but holds ${other}`;
  }
  const limit = Number(params['limit']);
  const must = (rule: string, but = `is ${describeJson(found)}`): string => `${at()} must ${rule}, but ${but}`;
  switch (keyword) {
    case 'type':
      return must(`be ${alternatives([params['type']].flat().map(typeName))}`);
    case 'enum':
      return must(`be ${alternatives((params['allowedValues'] as unknown[]).map(describeJson))}`);
    case 'const':
      return must(`be ${describeJson(params['allowedValue'])}`);
    case 'minimum':
      return must(`be ${limit} or more`);
    case 'maximum':
      return must(`be ${limit} or less`);
    case 'exclusiveMinimum':
      return must(`be more than ${limit}`);
    case 'exclusiveMaximum':
      return must(`be less than ${limit}`);
    case 'minLength':
      return must(`have at least ${limit} characters`, `has ${countCharacters(found)}`);
    case 'maxLength':
      return must(`have at most ${limit} characters`, `has ${countCharacters(found)}`);
    // What was found may not be in the document.
    case byteRules.minBytes:
      return `${at()} must have at least ${Number(error.schema)} bytes`;
    case byteRules.maxBytes:
      return `${at()} must have at most ${Number(error.schema)} bytes`;
    case byteRules.minDecoded:
      return `${at()} must stand for at least ${Number(error.schema)} bytes`;
    case byteRules.maxDecoded:
      return `${at()} must stand for at most ${Number(error.schema)} bytes`;
    case 'pattern':
      return must(`match ${String(params['pattern'])}`);
    case 'multipleOf':
      return must(`be a multiple of ${String(params['multipleOf'])}`);
    case 'anyOf':
    case 'oneOf':
      return must('fit one of the alternatives in the schema');
    case 'not':
      return must('not be what the schema excludes');
    default:
      return `${at()} ${error.message ?? 'does not fit the schema'}`;
  }
}

/** As the rule counts them. */
function countCharacters(text: unknown): number {
  const all = String(text);
  return all.length - (all.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/** Whether a missing member is the data of an input. */
function isDataOf(keys: readonly string[], missing: string): boolean {
  return keys.length === 2 && keys[0] === 'payload' && Object.hasOwn(DataType, missing);
}

function otherData(input: unknown, missing: string): string | null {
  const other = Object.keys(DataType).find((name) => name !== missing && isObject(input) && Object.hasOwn(input, name));
  return other ?? null;
}

function typeName(type: unknown): string {
  if (type === 'null') return 'null';
  return `${type === 'object' || type === 'array' || type === 'integer' ? 'an' : 'a'} ${String(type)}`;
}

/** More alternatives than these are no help to a reader. */
const mostAlternatives = 20;

function alternatives(all: readonly string[]): string {
  const shown = all.length > mostAlternatives ? [...all.slice(0, mostAlternatives), 'others'] : [...all];
  const last = shown.pop() ?? '';
  return shown.length === 0 ? last : `${shown.join(', ')} or ${last}`;
}
