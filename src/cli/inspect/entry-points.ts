/** A capability group of the plugin ABI: it counts when all of its functions are there. */
export interface Group {
  readonly name: string;
  readonly functions: readonly string[];
  /** What the loader does with it. */
  readonly use: string;
}

/** As in native/include/aiges/wrapper.h. */
export const groups: readonly Group[] = [
  {
    name: 'always',
    functions: ['wrapperInit', 'wrapperFini', 'wrapperError', 'wrapperVersion'],
    use: 'needed by every engine',
  },
  { name: 'once', functions: ['wrapperExec', 'wrapperExecFree'], use: 'one-shot calls' },
  { name: 'async', functions: ['wrapperExecAsync'], use: 'one-shot calls with a callback' },
  {
    name: 'stream',
    functions: ['wrapperCreate', 'wrapperWrite', 'wrapperRead', 'wrapperDestroy'],
    use: 'streams',
  },
  { name: 'resources', functions: ['wrapperLoadRes', 'wrapperUnloadRes'], use: 'personalised resources' },
  { name: 'control', functions: ['wrapperSetCtrl'], use: 'meters and traces' },
  { name: 'debug', functions: ['wrapperDebugInfo'], use: 'descriptions of streams' },
];

export interface FoundGroup extends Group {
  readonly found: readonly string[];
  readonly missing: readonly string[];
  readonly complete: boolean;
}

export interface EntryPoints {
  readonly groups: readonly FoundGroup[];
  /** Exported C++ functions that are called like an entry point: they lack extern "C". */
  readonly mangled: readonly string[];
  readonly variant: string;
  /** What is missing that no engine can do without; null when nothing is. */
  readonly fault: string | null;
}

/** What the loader would make of these exports. */
export function readEntryPoints(exports: readonly string[]): EntryPoints {
  const there = new Set(exports);
  const found = groups.map((group) => {
    const missing = group.functions.filter((name) => !there.has(name));
    return {
      ...group,
      found: group.functions.filter((name) => there.has(name)),
      missing,
      complete: missing.length === 0,
    };
  });
  const known = groups.flatMap(({ functions }) => functions);
  const mangled = exports.filter((name) => known.includes(plainName(name)));
  return { groups: found, mangled, variant: variantOf(found), fault: faultOf(found, mangled) };
}

/** The name of a C++ function that is in no namespace: its length stands before it. Empty for others. */
function plainName(symbol: string): string {
  const match = /^_Z(\d+)(\w+)$/.exec(symbol);
  return match?.[2]?.slice(0, Number(match[1])) ?? '';
}

/** Names tell the variants apart only where one lacks them: parameter lists leave no trace in a library. */
function variantOf(found: readonly FoundGroup[]): string {
  const missing = found.flatMap((group) => group.missing);
  if (missing.length === 0) return '2022 (all 15 entry points)';
  if (missing.length === 1 && missing[0] === 'wrapperSetCtrl') {
    return (
      'perhaps 2019: everything but wrapperSetCtrl is there, as in engines from before 2022, whose functions take other ' +
      'parameters and another DataList; such an engine crashes when it is called. Rebuild it with aiges/wrapper.h'
    );
  }
  const all = groups.flatMap(({ functions }) => functions).length;
  if (missing.length === all) return 'none: no entry point is there';
  return `2022, in part (${all - missing.length} of ${all} entry points)`;
}

function faultOf(found: readonly FoundGroup[], mangled: readonly string[]): string | null {
  const group = (name: string): FoundGroup | undefined => found.find((each) => each.name === name);
  const always = group('always')?.missing ?? [];
  const callable = ['once', 'async', 'stream'].some((name) => group(name)?.complete === true);
  const faults = [
    ...(always.length === 0 ? [] : [`every engine needs ${always.join(', ')}`]),
    ...(callable ? [] : ['one complete group of once, async and stream is needed']),
  ];
  if (faults.length === 0) return null;
  const hint =
    mangled.length === 0
      ? 'are they declared extern "C", with default visibility?'
      : `${mangled.join(', ')}: C++ functions; declare them extern "C", with exactly the parameters of aiges/wrapper.h`;
  return `lacks entry points: ${faults.join('; ')}; ${hint}`;
}
