import { isObject } from '../core/json.js';

export interface TaskStatusOptions {
  /** http or https, without user and password. */
  readonly url: string;
  /** Told once for a task that goes on without its status being kept. */
  readonly onDegraded: (reason: string, taskId: string) => void;
  /** Milliseconds for one request, answer included. */
  readonly timeoutMs?: number;
}

/** A task whose status is kept. */
export interface Task {
  /**
   * Says how the task ended; the status goes out as soon as the one before it is through. Never rejects.
   * @param result base64 of the answer
   * @param costMs whole milliseconds that the plugin took
   */
  finish(succeeded: boolean, result: string, costMs: number): Promise<void>;
}

/** What the service knows tasks by. */
const status = { active: '2', succeeded: '3', failed: '4' } as const;

const defaultTimeoutMs = 5000;
/** The answer to a query repeats the whole request of the task. */
const maxAnswerBytes = 8 * 2 ** 20;
const longestId = 256;

/** Tells the task status service what becomes of tasks. Whatever fails there costs the task its status, and nothing else. */
export class TaskStatus {
  readonly #options: TaskStatusOptions;
  /** Ends the requests that are under way. */
  readonly #requests = new Set<AbortController>();
  #closed = false;

  constructor(options: TaskStatusOptions) {
    this.#options = options;
  }

  /**
   * Says that a task is being worked on. Returns at once.
   * @param node "ip:port" of this server
   */
  begin(id: string, node: string): Task {
    const started = this.#try(id, async () => {
      if (id.length > longestId) throw new Failure(`the id has ${id.length} characters`);
      const before = await this.#query(id);
      await this.#update({ id, node, before, now: status.active, result: '', costMs: 0 });
      return true;
    });
    return {
      finish: async (succeeded, result, costMs) => {
        if ((await started) !== true) return;
        const now = succeeded ? status.succeeded : status.failed;
        await this.#try(id, () => this.#update({ id, node, before: status.active, now, result, costMs }));
      },
    };
  }

  /** Ends the requests that are under way, and those to come. */
  close(): void {
    this.#closed = true;
    for (const request of this.#requests) request.abort(new Failure(stopping));
  }

  /** @returns null when it failed */
  async #try<T>(id: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      this.#options.onDegraded(reasonOf(error), id.slice(0, longestId));
      return null;
    }
  }

  async #query(id: string): Promise<string> {
    const url = new URL(this.#options.url);
    url.searchParams.set('task_id', id);
    const answer = await this.#request(url, { method: 'GET' });
    const [task] = Array.isArray(answer['data']) ? (answer['data'] as unknown[]) : [];
    const before = isObject(task) ? task['task_status'] : undefined;
    if (typeof before === 'string') return before;
    throw new Failure('the answer names no task_status');
  }

  async #update(change: Change): Promise<void> {
    const body = JSON.stringify({
      task_id: change.id,
      engine_node: change.node,
      prev_task_status: change.before,
      task_status: change.now,
      resp_result: change.result,
      engine_cost_time: change.costMs,
    });
    const headers = { 'content-type': 'application/json' };
    await this.#request(new URL(this.#options.url), { method: 'PUT', headers, body });
  }

  async #request(url: URL, init: RequestInit): Promise<Record<string, unknown>> {
    if (this.#closed) throw new Failure(stopping);
    const timeoutMs = this.#options.timeoutMs ?? defaultTimeoutMs;
    const request = new AbortController();
    const timer = setTimeout(() => {
      request.abort(new Failure(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#requests.add(request);
    try {
      // A redirect could lead the result, which is in the request, anywhere: it is answered like any other failure.
      const response = await fetch(url, { ...init, redirect: 'manual', signal: request.signal });
      if (response.status !== 200) throw new Failure(`status ${response.status}`);
      return parse(await readText(response));
    } catch (error) {
      throw request.signal.aborted ? (request.signal.reason as Failure) : error;
    } finally {
      clearTimeout(timer);
      this.#requests.delete(request);
      // Frees a connection whose answer was not read to its end.
      request.abort();
    }
  }
}

const stopping = 'the loader stops';

interface Change {
  readonly id: string;
  readonly node: string;
  readonly before: string;
  readonly now: string;
  readonly result: string;
  readonly costMs: number;
}

/** A failure in words that may be logged: without the URL, whose query may hold a key. */
class Failure extends Error {}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    length += bytes.length;
    if (length > maxAnswerBytes) throw new Failure(`an answer of more than ${maxAnswerBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): Record<string, unknown> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Failure('the answer is not JSON');
  }
  if (!isObject(answer)) throw new Failure('the answer is no JSON object');
  if (answer['code'] === 0) return answer;
  throw new Failure(typeof answer['code'] === 'number' ? `code ${answer['code']}` : 'the answer has no code');
}

function reasonOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  // What fetch failed with is in its cause.
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'no connection';
}
