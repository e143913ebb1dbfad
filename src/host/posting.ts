import type { Config, DeliveryConfig } from '../config/config.js';
import type { AigesError } from '../core/errors.js';
import { Delivery } from '../delivery/delivery.js';
import { connectRabbit } from '../delivery/rabbitmq.js';
import { TaskStatus } from '../delivery/task-status.js';
import type { Logger } from '../observability/logger.js';
import { Postback } from '../transports/xsf/postback.js';

/** Results that go to a broker instead of back to who called. */
export interface Posting {
  readonly delivery: Delivery;
  readonly postback: Postback;
  /** What has not been delivered by now is given up. */
  close(): Promise<void>;
}

/** Nothing is connected before `delivery.start()`. */
export function openPosting(
  { taskStatusUrl, ...config }: DeliveryConfig,
  { onceTimeoutMs }: Config['limits'],
  log: Logger,
  onError: (error: AigesError, context: object) => void,
): Posting {
  const onWarning = (text: string): void => {
    log.warn({ queue: config.queue }, text);
  };
  const delivery = new Delivery({
    ...config,
    connect: (signal) => connectRabbit({ ...config, onWarning }, signal),
    onTrouble: (reason) => {
      onWarning(reason.message);
    },
    onRestored: (waiting) => {
      log.info({ queue: config.queue, waiting }, 'results are delivered again');
    },
  });
  const tasks =
    taskStatusUrl === null
      ? null
      : new TaskStatus({
          url: taskStatusUrl,
          onDegraded: (reason, taskId) => {
            log.warn({ taskId, reason }, 'the status of a task is not kept');
          },
        });
  const postback = new Postback({
    outlet: delivery,
    tasks,
    onceTimeoutMs,
    onError: (error, context) => {
      onError(error, { op: 'async', ...context });
    },
    onUndelivered: (reason, { code, ...context }) => {
      log.error(
        { ...context, code, failed: delivery.counts.failed, reason: reason.message },
        'a result was not delivered',
      );
    },
  });
  return {
    delivery,
    postback,
    async close() {
      tasks?.close();
      await delivery.close();
      // What is given up has its line in the log before the last one.
      await postback.idle();
    },
  };
}
