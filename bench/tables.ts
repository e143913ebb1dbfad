/** A table: the head, then the rows. The first column is text, the others are figures. */
export interface Table {
  readonly head: readonly string[];
  readonly body: readonly (readonly string[])[];
}

/** For the terminal. */
export function renderText({ head, body }: Table): string {
  const widths = widthsOf([head, ...body]);
  return [head, ...body].map((row) => `  ${pad(row, widths).join('  ').trimEnd()}\n`).join('');
}

export function renderMarkdown({ head, body }: Table): string {
  const widths = widthsOf([head, ...body]).map((width) => Math.max(width, 4));
  const line = (row: readonly string[]): string => `| ${pad(row, widths).join(' | ')} |\n`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [head, rule, ...body].map(line).join('');
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
}

function pad(row: readonly string[], widths: readonly number[]): string[] {
  return widths.map((width, column) => {
    const cell = row[column] ?? '';
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
}

/** 12,345 or 12.3: three digits say enough. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function ratio(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : '–';
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : '–';
}

export function mebibytes(bytes: number): string {
  return Number.isFinite(bytes) ? String(Math.round(bytes / (1 << 20))) : '–';
}
