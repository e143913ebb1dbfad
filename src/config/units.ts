const sizeUnits = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

export const { KiB, MiB } = sizeUnits;

/** Bytes of a text such as `64KiB` or `4096`; `null` when it is not a size. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,16})\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return null;
  const [, digits = '', unit = ''] = match;
  if (unit === '') return Number(digits);
  for (const [name, factor] of Object.entries(sizeUnits)) {
    if (name.toLowerCase() === unit.toLowerCase()) return Number(digits) * factor;
  }
  return null;
}

export function formatSize(bytes: number): string {
  for (const [name, factor] of Object.entries(sizeUnits).reverse()) {
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${name}`;
  }
  return `${bytes}B`;
}

/** Milliseconds of a text such as `500ms` or `2m`; `null` when it is not a duration. The unit is part of it. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h)$/.exec(text.trim());
  if (match === null) return null;
  const [, digits = '', unit = ''] = match;
  return Math.round(Number(digits) * durationUnits[unit as keyof typeof durationUnits]);
}

export function formatDuration(milliseconds: number): string {
  // Minutes and hours only on request: "120s" is what people write and compare.
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}
