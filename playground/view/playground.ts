import { callOnce } from '../call/once.js';
import { callStream } from '../call/stream.js';
import { adviceFor, unreachable } from '../call/advice.js';
import { readCatalogue, type ServiceInfo } from '../catalogue.js';
import { curlCommand } from '../snippets/curl.js';
import { onceModule, streamModule } from '../snippets/typescript.js';
import { measure } from '../wire/packets.js';
import { button, byId, element } from './elements.js';
import { failureView } from './facts.js';
import { onceSummary, onceView } from './once-view.js';
import { ObjectUrls } from './output.js';
import type { Mood, Outcome } from './outcome.js';
import { type Plan, serviceForm, type ServiceForm } from './service-form.js';
import { SnippetView } from './snippet-view.js';
import { StreamView } from './stream-view.js';

const oneColumn = matchMedia('(max-width: 900px)');

/** Everything that is on the page. */
export class Playground {
  readonly #picker = byId('service', HTMLSelectElement);
  readonly #about = byId('about', HTMLElement);
  readonly #form = byId('form', HTMLFormElement);
  readonly #fields = byId('fields', HTMLElement);
  readonly #run = byId('run', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);
  readonly #summary = byId('summary', HTMLElement);
  readonly #answer = byId('answer', HTMLElement);
  readonly #panel = byId('answer-panel', HTMLElement);
  readonly #snippets = byId('snippets', HTMLElement);
  readonly #curl = new SnippetView('curl', 'curl');
  readonly #module = new SnippetView('TypeScript', 'typescript');
  #services: readonly ServiceInfo[] = [];
  #current: ServiceForm | null = null;
  #running: AbortController | null = null;
  /** Lets go of what the last answer holds. */
  #forget: () => void = () => undefined;

  constructor() {
    this.#snippets.append(this.#curl.node, this.#module.node);
    this.#picker.addEventListener('change', () => {
      const service = this.#services[Number(this.#picker.value)];
      if (service === undefined) return;
      history.replaceState(null, '', `#${encodeURIComponent(this.#labelOf(service))}`);
      this.#choose(service);
    });
    for (const event of ['input', 'change']) {
      this.#form.addEventListener(event, () => {
        this.#writeSnippets();
      });
    }
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#start();
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    this.#stop.addEventListener('click', () => {
      this.#running?.abort();
    });
    for (const event of ['dragover', 'drop'] as const) {
      // A file that misses its place would replace the page.
      document.addEventListener(event, (dropped) => {
        dropped.preventDefault();
      });
    }
  }

  /** Asks the loader what it serves. */
  async load(): Promise<void> {
    this.#say('', 'quiet');
    try {
      const response = await fetch('openapi.json');
      if (!response.ok) throw new Error(`openapi.json: HTTP status ${String(response.status)}`);
      this.#services = readCatalogue(await response.json());
    } catch (error) {
      const again = button('Try again', () => void this.load(), 'primary');
      const message = error instanceof Error ? error.message : String(error);
      this.#fields.replaceChildren(
        failureView('The services cannot be listed', message, adviceFor(unreachable)),
        again,
      );
      return;
    }
    const wanted = fragment();
    const first = this.#services.find((service) => this.#labelOf(service) === wanted) ?? this.#services[0];
    this.#picker.replaceChildren(
      ...this.#services.map((service, place) =>
        element('option', { value: place, selected: service === first }, this.#labelOf(service)),
      ),
    );
    this.#picker.disabled = this.#services.length === 0;
    if (first === undefined)
      this.#fields.replaceChildren(element('p', { class: 'hint' }, 'The loader serves nothing.'));
    else this.#choose(first);
  }

  /** The name of a service; with its path where it has several. */
  #labelOf({ name, route }: ServiceInfo): string {
    const single = this.#services.filter((service) => service.name === name).length === 1;
    return single ? name : `${name} (${route})`;
  }

  #choose(service: ServiceInfo): void {
    this.#running?.abort();
    this.#current?.close();
    this.#clear();
    this.#say('', 'quiet');
    this.#answer.replaceChildren(element('p', { class: 'empty' }, 'The answer will be here.'));
    const form = serviceForm(service, new URL(`.${service.route}`, document.baseURI).href);
    this.#current = form;
    this.#about.replaceChildren(
      element('code', { class: 'route' }, service.route),
      ...(service.version === '' ? [] : [element('span', { class: 'chip' }, service.version)]),
      ...(service.once ? [element('span', { class: 'chip' }, 'once')] : []),
      ...(service.stream ? [element('span', { class: 'chip' }, 'stream')] : []),
      ...(service.described ? [] : [element('span', { class: 'chip' }, 'not described')]),
    );
    this.#fields.replaceChildren(form.node);
    this.#run.disabled = false;
    this.#writeSnippets();
  }

  #writeSnippets(): void {
    const plan = this.#current?.read();
    if (plan === undefined) return;
    const { mode, draft, upload, stream } = plan;
    this.#run.textContent = mode === 'once' ? 'Run' : 'Stream';
    this.#curl.show(curlCommand(draft, { upload, stream: mode === 'stream' }));
    this.#module.show(mode === 'once' ? onceModule(draft, upload) : streamModule(draft, stream));
  }

  async #start(): Promise<void> {
    const form = this.#current;
    if (form === null || this.#running !== null) return;
    const fault = form.check();
    if (fault !== null) {
      this.#say('Something in the form is missing or wrong.', 'bad');
      fault.focus();
      return;
    }
    const running = new AbortController();
    this.#running = running;
    this.#clear();
    // Where the answer is below the form, it would come unseen.
    if (oneColumn.matches) this.#panel.scrollIntoView();
    this.#run.setAttribute('aria-disabled', 'true');
    this.#stop.hidden = false;
    try {
      const plan = form.read();
      const outcome = await (plan.mode === 'once'
        ? this.#once(plan, running.signal)
        : this.#stream(plan, running.signal));
      // Of a service that nobody looks at any more, there is nothing to say.
      if (this.#current === form) this.#say(outcome.text, outcome.mood);
    } finally {
      this.#running = null;
      this.#run.removeAttribute('aria-disabled');
      // Whoever has pressed it must not be left nowhere.
      if (document.activeElement === this.#stop) this.#run.focus();
      this.#stop.hidden = true;
    }
  }

  async #once({ draft, upload }: Plan, signal: AbortSignal): Promise<Outcome> {
    this.#say('Waiting for the answer', 'busy');
    const place = element('div');
    this.#answer.replaceChildren(place);
    const urls = new ObjectUrls();
    this.#forget = () => {
      urls.release();
    };
    try {
      const call = await callOnce(draft, upload, signal);
      place.append(onceView(call, urls));
      return onceSummary(call);
    } catch (error) {
      if (signal.aborted) return { text: 'Cancelled', mood: 'quiet' };
      const message = error instanceof Error ? error.message : String(error);
      place.append(failureView('There is no answer', message, adviceFor(unreachable)));
      return { text: 'There is no answer', mood: 'bad' };
    }
  }

  async #stream({ draft, stream }: Plan, signal: AbortSignal): Promise<Outcome> {
    this.#say('Streaming', 'busy');
    const urls = new ObjectUrls();
    const view = new StreamView(measure(draft.inputs, stream).bytes, urls);
    this.#forget = () => {
      urls.release();
      view.release();
    };
    this.#answer.replaceChildren(view.node);
    const start = performance.now();
    const end = await callStream(draft, stream, view, signal);
    return view.onEnd(end, performance.now() - start);
  }

  #clear(): void {
    this.#forget();
    this.#forget = () => undefined;
  }

  #say(text: string, mood: Mood): void {
    this.#summary.className = `summary ${mood}`;
    this.#summary.textContent = text;
  }
}

/** What is behind the "#" of the page's address. */
function fragment(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}
