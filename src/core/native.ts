import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

let loaded: unknown = null;

/**
 * Loads the addon, once: every environment gets one instance. What it offers is declared where it is used.
 * @throws Error with a text that says what to do
 */
export function loadNative(): unknown {
  return (loaded ??= load());
}

function load(): unknown {
  // The same from src/ and from dist/. The override is for builds elsewhere, with sanitizers for example.
  const path = process.env['AIGES_ADDON'] ?? fileURLToPath(new URL('../../build/Release/aiges.node', import.meta.url));
  try {
    return createRequire(import.meta.url)(path);
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new Error(`cannot load the native addon ${path}: ${reason}; run npm run build:native`, { cause });
  }
}
