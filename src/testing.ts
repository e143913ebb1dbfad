import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEngineOpener } from './runtimes/worker/engine-opener.js';
import { testWrapper as drive, type TestedWrapper } from './sdk/testing.js';
import type { WrapperBase } from './sdk/wrapper-base.js';

export type { Sent, TestAnswer, TestedWrapper, TestLine, TestOutput, TestRequest } from './sdk/testing.js';

/** Where a wrapper under test comes from. */
export interface TestOptions {
  /** Its file, for relative paths of engines: they start at its folder. Without it, at the working directory. */
  readonly file?: string | URL;
}

/**
 * Makes a wrapper, loads its engine if it has one, and calls its `init`.
 * @throws Error with the text that the loader would end with
 */
export async function testWrapper<Req extends object, Res extends object>(
  wrapper: new () => WrapperBase<Req, Res>,
  config: Readonly<Record<string, string>> = {},
  { file }: TestOptions = {},
): Promise<TestedWrapper<Req, Res>> {
  const folder = file === undefined ? process.cwd() : dirname(file instanceof URL ? fileURLToPath(file) : file);
  return await drive(wrapper, config, createEngineOpener(folder));
}
