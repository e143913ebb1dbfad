import { writeSync } from 'node:fs';
import { probeLibrary } from '../../runtimes/load.js';
import { type Progress, progressFd } from './progress.js';

// Runs in a process of its own, which the library may end at any time: every step is written down before it begins.

const path = process.argv[2] ?? '';

function tell(progress: Progress): void {
  writeSync(progressFd, `${JSON.stringify(progress)}\n`);
}

tell({ step: 'dlopen' });
const opened = probeLibrary(path, false);
if (opened.error === null) {
  tell({ step: 'wrapperVersion' });
  tell({ step: 'done', probed: probeLibrary(path, true) });
} else tell({ step: 'done', probed: opened });
// Destructors and threads of the library are of no interest.
process.kill(process.pid, 'SIGKILL');
