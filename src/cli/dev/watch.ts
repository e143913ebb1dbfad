import { type FSWatcher, readdirSync, type Stats, statSync, watch } from 'node:fs';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';

const sources = new Set(['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '.json']);
const ignored = new Set(['node_modules', 'dist', 'build', 'coverage', 'log', 'xsf_status']);

/** Editors write a file in several steps, and version control writes many files. */
export const quietMs = 100;

export interface Watched {
  readonly folder: string;
  readonly stop: () => void;
}

/**
 * Watches the sources around a module, in its folder and below. Folders are watched one by one, because watching a
 * whole tree would watch every file of its node_modules too. Does not keep the process alive.
 * @param onChange gets the files that changed, relative to the folder, when no other has changed for a moment
 * @param onTrouble told what cannot be watched
 */
export function watchSources(
  module: string,
  onChange: (files: readonly string[]) => void,
  onTrouble: (text: string) => void,
): Watched {
  const root = dirname(resolve(module));
  const watchers = new Map<string, FSWatcher>();
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  const note = (path: string): void => {
    changed.add(relative(root, path));
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...changed].sort();
      changed.clear();
      onChange(files);
    }, quietMs).unref();
  };

  const visit = (folder: string, isNew: boolean): void => {
    if (watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name !== null) look(join(folder, name), name);
      });
      watcher.on('error', () => {
        leave(folder);
      });
      watchers.set(folder, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory() && isWatched(entry.name)) visit(join(folder, entry.name), isNew);
        // It may have been written before somebody watched.
        else if (isNew && isWatched(entry.name) && sources.has(extname(entry.name))) note(join(folder, entry.name));
      }
    } catch (error) {
      // A folder may be gone again; the one where everything begins may not.
      leave(folder);
      const { code, message } = error as NodeJS.ErrnoException;
      if (folder === root || code === 'ENOSPC' || code === 'EMFILE') onTrouble(`${folder} is not watched: ${message}`);
    }
  };

  const leave = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };

  const look = (path: string, name: string): void => {
    const what = statOf(path);
    if (what?.isDirectory() === true) {
      if (isWatched(name)) visit(path, true);
    } else {
      if (what === null) leaveAll(path);
      if (isWatched(name) && sources.has(extname(name))) note(path);
    }
  };

  /** A folder that was moved is told about under its old name, if at all. */
  const leaveAll = (folder: string): void => {
    for (const each of [...watchers.keys()]) if (each === folder || each.startsWith(`${folder}${sep}`)) leave(each);
  };

  visit(root, false);
  return {
    folder: root,
    stop: () => {
      clearTimeout(timer);
      leaveAll(root);
    },
  };
}

/** Null for what is not there or cannot be looked at, such as a link to itself. */
function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

function isWatched(name: string): boolean {
  return !name.startsWith('.') && !ignored.has(name);
}
