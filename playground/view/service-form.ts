import type { StreamOptions } from '../call/stream.js';
import type { ServiceInfo } from '../catalogue.js';
import { canUpload, type Draft } from '../wire/request.js';
import { element } from './elements.js';
import { Field } from './field.js';
import { genericInput, rawRequest } from './generic-input.js';
import { inputField } from './input-field.js';
import { paramField } from './param-field.js';
import { StreamSettings } from './stream-options.js';

export type Mode = 'once' | 'stream';

/** What is to be done, as the form says. */
export interface Plan {
  readonly mode: Mode;
  readonly draft: Draft;
  /** Whether files go as a form upload, not as base64 in JSON. */
  readonly upload: boolean;
  readonly stream: StreamOptions;
}

/** The form of one service. */
export interface ServiceForm {
  readonly node: HTMLElement;
  read(): Plan;
  /** Says at each control what is wrong with it; the first of them, or null. */
  check(): HTMLElement | null;
  close(): void;
}

export function serviceForm(service: ServiceInfo, url: string): ServiceForm {
  const raw = service.described ? null : rawRequest(service.name);
  const params = service.params.map((param, place) => paramField(param, `param-${String(place)}`));
  const inputs = service.described
    ? service.inputs.map((body, place) => inputField(body, `input-${String(place)}`))
    : [genericInput()];
  const modes = modeChoice(service);
  const sending = new Field(
    { id: 'sending', name: 'Send as', title: '', description: '', kind: 'how files are sent', required: false },
    element(
      'select',
      {},
      element('option', { value: 'upload' }, 'Form upload'),
      element('option', { value: 'json' }, 'JSON with base64'),
    ),
  );
  const streaming = new StreamSettings(service);
  const [sendingGroup] = group('Sending', [streaming.node, sending.node]);
  const takesFiles = !service.described || service.inputs.some(({ type }) => type !== 'text');

  const read = (): Plan => {
    const draft = {
      service: service.name,
      url,
      base: raw?.read() ?? {},
      params: new Map(
        params.flatMap((field) => {
          const value = field.read();
          return value === undefined ? [] : [[field.param.name, value] as const];
        }),
      ),
      inputs: inputs.flatMap((input) => input.read() ?? []),
    };
    // The type of an input that nobody has described would be guessed from its file.
    const upload = service.described && sending.control.value === 'upload' && canUpload(draft);
    return { mode: modes.read(), draft, upload, stream: takesFiles ? streaming.read() : StreamSettings.ofText };
  };

  /** Shows the options that matter for what the form says now. */
  const adapt = (): void => {
    const { mode, draft } = read();
    streaming.node.hidden = mode !== 'stream' || !takesFiles;
    sending.node.hidden = mode !== 'once' || !service.described || !canUpload(draft);
    if (sendingGroup !== undefined) sendingGroup.hidden = streaming.node.hidden && sending.node.hidden;
  };

  const node = element(
    'div',
    { class: 'fields' },
    modes.node,
    raw?.node ?? null,
    ...group(
      'Inputs',
      inputs.map((input) => input.node),
    ),
    ...group(
      'Parameters',
      params.map(({ field }) => field.node),
    ),
    sendingGroup ?? null,
  );
  node.addEventListener('input', adapt);
  node.addEventListener('change', adapt);
  adapt();

  return {
    node,
    read,
    check: () => {
      const faults = [
        raw?.check() ?? null,
        ...inputs.map((input) => input.check()),
        ...params.map(({ field }) => (field.check() ? null : field.control)),
        modes.read() === 'stream' && takesFiles ? streaming.check() : null,
      ];
      return faults.find((control) => control !== null) ?? null;
    },
    close: () => {
      for (const input of inputs) input.close();
    },
  };
}

function group(title: string, nodes: readonly HTMLElement[]): HTMLElement[] {
  return nodes.length === 0 ? [] : [element('fieldset', {}, element('legend', {}, title), ...nodes)];
}

function modeChoice({ once, stream }: ServiceInfo): { node: HTMLElement; read: () => Mode } {
  const option = (mode: Mode, text: string, checked: boolean): [HTMLInputElement, HTMLElement] => {
    const input = element('input', { type: 'radio', name: 'mode', value: mode, checked });
    return [input, element('label', { class: 'option' }, input, element('span', {}, text))];
  };
  const [onceInput, onceLabel] = option('once', 'Once', once || !stream);
  const [streamInput, streamLabel] = option('stream', 'Stream', stream && !once);
  const node = element('fieldset', { class: 'modes' }, element('legend', {}, 'Mode'), onceLabel, streamLabel);
  onceInput.disabled = !once && stream;
  streamInput.disabled = !stream;
  return { node, read: () => (streamInput.checked ? 'stream' : 'once') };
}
