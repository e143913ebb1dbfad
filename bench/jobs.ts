import type { Driven } from './drive.js';

/** What a process that makes calls is asked for, one message after the other. */
export interface Job {
  readonly calls: number;
}

/** What it answers to each. */
export type JobReport = { readonly ok: true; readonly driven: Driven } | { readonly ok: false; readonly error: string };

/** Does jobs for the process that started this one, until that ends. */
export function serveJobs(work: (calls: number) => Promise<Driven>): void {
  const send = (report: JobReport): void => {
    process.send?.(report);
  };
  process.on('message', (job: Job) => {
    work(job.calls).then(
      (driven) => {
        send({ ok: true, driven });
      },
      (error: unknown) => {
        send({ ok: false, error: error instanceof Error ? error.message : String(error) });
      },
    );
  });
  process.on('disconnect', () => process.exit());
}
