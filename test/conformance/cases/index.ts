import type { Case } from '../case.js';
import { onceCases, refusalCases } from './once.js';
import { failureCases, streamCases } from './stream.js';
import { transportCases } from './transport.js';

export const cases: readonly Case[] = [
  ...transportCases,
  ...onceCases,
  ...refusalCases,
  ...streamCases,
  ...failureCases,
];
