import type { DeliveryConfig } from './config.js';
import type { Plan } from './plan.js';
import { schema } from './schema.js';

const { keys } = schema.downAsync;

export function buildDelivery({ settings, report }: Plan): DeliveryConfig | null {
  const url = settings.get(keys.rabHost);
  const queue = filled(settings.get(keys.rabQueue));
  if (url === null) {
    const idle = [keys.rabUser, keys.rabPass, keys.rabQueue, keys.nrtDBUrl].filter(
      (key) => filled(settings.get(key)) !== null,
    );
    for (const key of idle) report.warn(settings.where(key), 'has no effect without rabHost');
    return null;
  }
  if (queue === null) {
    report.fault(settings.where(keys.rabQueue), 'needed with rabHost; set it to the queue that gets the results');
  }
  const user = filled(settings.get(keys.rabUser));
  const password = filled(settings.get(keys.rabPass));
  if (user === null && password !== null) {
    report.fault(settings.where(keys.rabUser), 'needed with rabPass; set it to the user that the password is for');
  }
  return {
    url,
    user,
    password,
    queue: queue ?? '',
    attempts: settings.get(keys.retry),
    waiting: settings.get(keys.waiting),
    waitingBytes: settings.get(keys.waitingBytes),
    taskStatusUrl: settings.get(keys.nrtDBUrl),
  };
}

/** Files of the original say "" for "none". */
function filled(value: string | null): string | null {
  return value === '' ? null : value;
}
