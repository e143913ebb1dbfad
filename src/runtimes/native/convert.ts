import type { Frame, StringMap } from '../../core/frame.js';
import { emptyMap } from '../../core/frame.js';
import type { Output } from '../../core/runtime.js';
import type { Addon, Answer, NativeFrame, Pairs } from './addon.js';

const noPairs: Pairs = [];

export function toPairs(map: StringMap): Pairs {
  if (map.size === 0) return noPairs;
  const pairs: string[] = [];
  for (const [key, value] of map) pairs.push(key, value);
  return pairs;
}

export function toMap(pairs: Pairs): StringMap {
  if (pairs.length === 0) return emptyMap;
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < pairs.length; i += 2) map.set(pairs[i] ?? '', pairs[i + 1] ?? '');
  return map;
}

export function toNativeFrame({ key, data, type, status, desc }: Frame): NativeFrame {
  return { key, data, type, status, desc: toPairs(desc) };
}

export function toFrame({ key, data, type, status, desc }: NativeFrame): Frame {
  return { key, data, type, status, desc: toMap(desc) };
}

export function toOutput(addon: Addon, answer: Answer): Output {
  return {
    frames: answer.frames.map(toFrame),
    leased: answer.leased,
    release: () => {
      if (answer.memory !== null) addon.release(answer.memory);
    },
  };
}
