import type { ServiceInfo } from '../catalogue.js';
import type { StreamOptions } from '../call/stream.js';
import { element } from './elements.js';
import { Field } from './field.js';

/** What 16-bit sound of one channel needs, for the most common rate. */
const defaultRate = 16_000;
const bytesPerSample = 2;
const defaultPacketBytes = 3200;

/** How files are sent in a stream. */
export class StreamSettings {
  readonly node: HTMLElement;
  readonly #fields: readonly Field[];
  readonly #pace: Field;
  readonly #speed: Field;
  readonly #packet: Field;

  constructor(service: ServiceInfo) {
    const text = { title: '', description: '', required: false };
    this.#pace = new Field(
      { ...text, id: 'pace', name: 'Pace', kind: 'of sending' },
      element(
        'select',
        {},
        element('option', { value: 'real-time' }, 'Real time'),
        element('option', { value: 'fast' }, 'As fast as possible'),
      ),
    );
    this.#speed = new Field(
      { ...text, id: 'speed', name: 'Bytes per second', kind: '16-bit sound: 2 × rate', required: false },
      element('input', { type: 'number', min: 1, step: 1, value: speedOf(service), inputmode: 'numeric' }),
    );
    this.#packet = new Field(
      { ...text, id: 'packet', name: 'Packet size', kind: 'bytes of a file', required: false },
      element('input', {
        type: 'number',
        min: 1,
        max: 1 << 20,
        step: 1,
        value: defaultPacketBytes,
        inputmode: 'numeric',
      }),
    );
    for (const { control } of [this.#speed, this.#packet]) control.required = true;
    this.#fields = [this.#speed, this.#packet];
    this.node = element('div', { class: 'triple' }, this.#pace.node, this.#speed.node, this.#packet.node);
    this.#pace.control.addEventListener('change', () => {
      this.#speed.control.disabled = this.#pace.control.value === 'fast';
    });
  }

  /** For inputs of which none is a file, there is nothing to choose. */
  static readonly ofText: StreamOptions = { packetBytes: defaultPacketBytes, bytesPerSecond: null };

  read(): StreamOptions {
    return {
      packetBytes: Number(this.#packet.control.value) || defaultPacketBytes,
      bytesPerSecond: this.#pace.control.value === 'fast' ? null : Number(this.#speed.control.value) || null,
    };
  }

  check(): HTMLElement | null {
    return this.#fields.find((field) => !field.check())?.control ?? null;
  }
}

function speedOf({ params }: ServiceInfo): number {
  const rate = params.find(({ name }) => name === 'rate' || name === 'sample_rate')?.fallback;
  return (typeof rate === 'number' && rate > 0 ? rate : defaultRate) * bytesPerSample;
}
