import { AigesError } from '../../core/errors.js';
import { DataStatus, DataType } from '../../core/frame.js';
import type { Input } from '../../engine/input.js';
import { parseResourceId, parseResourceIds } from '../../engine/resource-ids.js';
import type { Resources } from '../../engine/resources.js';
import { type Answer, checkMeta, empty, hold, type Request } from './request.js';

/** Parameters are looked for in the payload's message first, then in the envelope. */
type Named = Pick<Request, 'param'> & { readonly input: Pick<Request['input'], 'params'> };

/** Whether an operation loads, unloads or replaces a personalised resource. */
export function isResourceOperation(op: string): boolean {
  return op === 'AILoad' || op === 'AIUnLoad' || op === 'AIHotword';
}

/**
 * Loads, unloads or replaces the resource that the parameter `resId` names. AILoad without it takes a free id; its
 * answer says which.
 * @throws AigesError `invalidInput` for a bad id or no payload, and whatever `Resources` throws
 */
export async function changeResource(resources: Resources, request: Request): Promise<Answer> {
  const { op, input, deadline } = request;
  const id = resourceId(request);
  if (op === 'AILoad') {
    const loaded = await resources.load(id, content(request), deadline.signal);
    return { ...empty(input.serviceId), param: new Map([['resId', String(loaded)]]) };
  }
  if (id === null) throw new AigesError('invalidInput', { detail: `${op} needs the parameter resId` });
  if (op === 'AIUnLoad') await resources.unload(id, deadline.signal);
  else await resources.replace(id, content(request), deadline.signal);
  return empty(input.serviceId);
}

/**
 * The resources that the parameter `psrIds` names: ids separated by commas, each of them once.
 * @throws AigesError `invalidInput`
 */
export function namedResources(request: Named): readonly number[] {
  return parseResourceIds(find(request, 'psrIds') ?? '', 'psrIds');
}

/** The id that a request names; null when it names none. */
function resourceId(request: Named): number | null {
  const text = find(request, 'resId');
  return text === undefined ? null : parseResourceId(text, 'resId');
}

function find({ input, param }: Named, key: string): string | undefined {
  return input.params.get(key) ?? param.get(key);
}

/** What the plugin gets: complete, and of the type that says so. */
function content(request: Request): Input {
  checkMeta(request.input);
  if (request.input.frames.length === 0) throw new AigesError('invalidInput', { detail: 'no payload to load' });
  const held = hold(request);
  const frames = held.frames.map((frame) => ({ ...frame, type: DataType.other, status: DataStatus.end }));
  return { ...held, frames };
}
