import type { ErrorName } from '../../core/errors.js';
import { AigesError } from '../../core/errors.js';
import type { PluginError } from './addon.js';
import { isPluginError } from './addon.js';

/** What failed, by the entry point at fault. */
const failures: Readonly<Partial<Record<string, ErrorName>>> = {
  wrapperCallback: 'callbackFailed',
  wrapperCreate: 'createFailed',
  wrapperWrite: 'writeFailed',
  wrapperRead: 'readFailed',
  wrapperDestroy: 'destroyFailed',
  wrapperLoadRes: 'loadFailed',
  wrapperUnloadRes: 'unloadFailed',
};

/** Clients of the original parse this shape: the engine's text, then its code. */
function ofPlugin(kind: ErrorName, error: PluginError): AigesError {
  if (error.pluginCode === null) return new AigesError(kind, { message: error.text, cause: error });
  return new AigesError(kind, {
    message: `${error.text};code=${error.pluginCode}`,
    pluginCode: error.pluginCode,
    cause: error,
  });
}

/** What failed while the engine at `path` was loaded: one line that says what was wrong, where, and what to do. */
export function toStartError(caught: unknown, path: string): AigesError {
  if (isPluginError(caught)) {
    if (caught.pluginCode === null) {
      // Texts about the library name it themselves; what an engine throws does not.
      const message = caught.text.includes(path) ? caught.text : `engine ${path}: ${caught.text}`;
      return new AigesError('initFailed', { message, cause: caught });
    }
    return new AigesError('initFailed', {
      message: `engine ${path}: ${caught.op} failed: ${caught.text};code=${caught.pluginCode}`,
      pluginCode: caught.pluginCode,
      cause: caught,
    });
  }
  const message = caught instanceof Error ? caught.message : String(caught);
  return new AigesError('initFailed', { message, cause: caught });
}

/** What failed while an engine answered. */
export function toCallError(caught: unknown): AigesError {
  if (isPluginError(caught)) {
    switch (caught.code) {
      case 'AIGES_DUPLICATE_TAG':
        return new AigesError('duplicateTag', { detail: caught.text, cause: caught });
      case 'AIGES_UNSUPPORTED':
        return new AigesError('unsupported', { detail: caught.text, cause: caught });
      case 'AIGES_OUT_OF_RESOURCES':
        return new AigesError('internal', { detail: caught.text, cause: caught });
      default:
        return ofPlugin(failures[caught.op] ?? 'execFailed', caught);
    }
  }
  // The addon checks what it is given; a request whose names a C string cannot carry ends here.
  if (caught instanceof TypeError) return new AigesError('invalidInput', { detail: caught.message, cause: caught });
  return AigesError.from(caught);
}

/** What failed while an engine was ended. */
export function toStopError(caught: unknown): AigesError {
  return isPluginError(caught) ? ofPlugin('finiFailed', caught) : AigesError.from(caught);
}
