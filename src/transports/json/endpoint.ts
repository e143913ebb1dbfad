import type { Call } from '../../core/call.js';
import type { Descriptor } from '../../core/descriptor.js';
import { AigesError } from '../../core/errors.js';
import { parseResourceIds } from '../../engine/resource-ids.js';
import type { Service } from '../../engine/service.js';
import type { OnceRequest } from './codec.js';
import type { AttributeTypes } from './result.js';

/** One service at one path, as clients that speak JSON find it. */
export interface Endpoint {
  readonly service: Service;
  readonly route: string;
  /** What is known of its requests and answers; null when nothing is. */
  readonly descriptor: Descriptor | null;
  /** Names of headers that the plugin gets as parameters. */
  readonly headerPass: readonly string[];
  /** What the attributes of streamed results are in JSON; without it they are strings. */
  readonly attributeType?: AttributeTypes;
  /**
   * Holds a request against what the service takes, before it is decoded, and fills in what the request leaves out.
   * @throws AigesError `invalidInput` that names the paths, the rules and what was found
   */
  check(document: unknown, options?: CheckOptions): void;
}

export interface CheckOptions {
  /** It begins a stream: inputs, and their data, may come later. */
  readonly begins?: boolean;
  /** It is a further packet of a stream: only the kinds of data in it are checked, and nothing is filled in. */
  readonly continues?: boolean;
  /** Data that is not in the document, by input; the document has an empty text in its place. */
  readonly apart?: ReadonlyMap<string, Uint8Array>;
  /** Paths of what came besides the document, and means nothing to the service. */
  readonly unread?: readonly string[];
}

/**
 * What the plugin gets of a request besides its input, whether it is a call or a stream.
 * @throws AigesError for what JSON does not offer, and for bad ids of resources
 */
export function callOf(endpoint: Endpoint, request: OnceRequest, sid: string): Omit<Call, 'signal' | 'deadline'> {
  const { params, headers, expect } = request;
  if (headers.get('downMethod') === 'async') throw new AigesError('invalidDownMethod');
  const named = endpoint.service.resources === null ? '' : (params.get('psrIds') ?? headers.get('psrIds') ?? '');
  return {
    sid,
    tag: sid,
    params: passedParams(request, endpoint, sid),
    resourceIds: parseResourceIds(named, 'psrIds'),
    expect,
  };
}

/** The parameters of the request, and the headers that are passed on. */
function passedParams(
  { params, headers }: Pick<OnceRequest, 'params' | 'headers'>,
  { headerPass }: Pick<Endpoint, 'headerPass'>,
  sid: string,
): Map<string, string> {
  const passed = new Map(params);
  for (const name of headerPass) {
    if (!passed.has(name)) passed.set(name, name === 'sid' ? sid : (headers.get(name) ?? ''));
  }
  return passed;
}
