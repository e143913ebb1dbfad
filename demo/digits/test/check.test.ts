/** The tests that are written in C, and what the library shows to the world. */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { demo } from './tools.js';

it('passes its tests in C', () => {
  expect(execFileSync('make', ['-s', 'check'], { cwd: demo }).toString()).toMatch(/ 0 failed$/m);
});

it('exports its entry points and nothing else', () => {
  execFileSync('make', ['-s'], { cwd: demo });
  const table = execFileSync('nm', ['-D', '--defined-only', 'build/libwrapper.so'], { cwd: demo }).toString();
  const names = table.split('\n').flatMap((line) => line.split(' ')[2] ?? []);
  expect(names.sort()).toEqual([
    'wrapperError',
    'wrapperExec',
    'wrapperExecFree',
    'wrapperFini',
    'wrapperInit',
    'wrapperSetCtrl',
    'wrapperVersion',
  ]);
});
