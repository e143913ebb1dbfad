import { formatAddress } from '../../core/address.js';
import { AigesError } from '../../core/errors.js';
import { isFinal, type StringMap } from '../../core/frame.js';
import type { Signal } from '../../core/signal.js';
import { type Deadline, openDeadline } from '../../engine/deadline.js';
import { type Outlet, Posting, type PostingEvents, type Task } from './posting.js';
import type { Answer, Request } from './request.js';

export interface PostbackOptions extends PostingEvents {
  readonly outlet: Outlet;
  /** Who keeps the status of tasks; null: nobody. */
  readonly tasks: {
    /** Says that a task is being worked on. Returns at once. */
    begin(id: string, node: string): Task;
  } | null;
  /** Milliseconds for a one-shot call. */
  readonly onceTimeoutMs: number;
}

/**
 * Runs requests whose clients do not wait (`downMethod` async): results leave through the outlet as they come, and a
 * failure is such a result.
 */
export class Postback {
  readonly #options: PostbackOptions;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: PostbackOptions) {
    this.#options = options;
  }

  /** @throws AigesError `noLicense` while too many results wait: none that was promised is to be dropped */
  checkRoom(): void {
    if (!this.#options.outlet.full) return;
    throw new AigesError('noLicense', { message: 'service license not enough: too many results wait for delivery' });
  }

  /**
   * Begins a request that has been let in.
   * @param params what the plugin gets
   */
  open({ handle, input, address, served }: Request, params: StringMap): Posting {
    const { outlet, tasks, onError, onUndelivered } = this.#options;
    const sid = input.headers.get('sid') ?? '';
    const id = input.headers.get('task_id') ?? '';
    const task = id === '' || tasks === null ? null : tasks.begin(id, formatAddress(address));
    return new Posting({ outlet, task, service: served.service.name, handle, sid, params, onError, onUndelivered });
  }

  /**
   * Runs a one-shot call.
   * @param gone abort it, as does the end of its time
   */
  once(posting: Posting, gone: readonly Signal[], run: (deadline: Deadline) => Promise<Answer>): void {
    const deadline = openDeadline(this.#options.onceTimeoutMs, () => new AigesError('timeout'), gone);
    const answered = run(deadline).finally(() => {
      deadline.close();
    });
    this.#track(
      answered.then(
        (answer) => posting.post(answer, true),
        (caught: unknown) => posting.fail(AigesError.from(caught)),
      ),
    );
  }

  /**
   * Posts the results of a stream until the last one.
   * @param next waits for the next result
   * @param ended called before the last message leaves
   */
  stream(posting: Posting, next: (wait: Signal) => Promise<Answer>, ended: () => void): void {
    this.#track(this.#pump(posting, next, ended));
  }

  /** Resolves when no request is running, and every message has arrived or been given up. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  async #pump(posting: Posting, next: (wait: Signal) => Promise<Answer>, ended: () => void): Promise<void> {
    const never = new AbortController().signal;
    try {
      for (;;) {
        const answer = await next(never);
        const last = isFinal(answer.output);
        if (last) ended();
        const posted = posting.post(answer, last);
        if (last) {
          await posted;
          return;
        }
        this.#track(posted);
        // Who cannot take results any faster slows the engine down.
        if (this.#options.outlet.full) await posted;
      }
    } catch (caught) {
      ended();
      await posting.fail(AigesError.from(caught));
    }
  }

  #track(work: Promise<void>): void {
    this.#pending.add(work);
    void work.finally(() => {
      this.#pending.delete(work);
    });
  }
}
