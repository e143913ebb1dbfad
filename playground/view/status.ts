const names = ['begin', 'continue', 'end', 'once'];

/** What a status says about where a result stands in its stream. */
export function statusName(status: number | null): string | undefined {
  return status === null ? undefined : names[status];
}

export function statusText(status: number | null): string {
  if (status === null) return '–';
  const name = statusName(status);
  return name === undefined ? String(status) : `${String(status)} (${name})`;
}
