/** The middle one, or the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** How far the values of several rounds lie apart, as a share of their median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/**
 * The value that the given share of all values does not exceed (nearest rank).
 * @param sorted ascending
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? NaN;
}

/** The median of the ratios round by round: what disturbed a round disturbed both. NaN when there is none. */
export function pairedRatio(values: readonly number[], references: readonly number[]): number {
  const ratios = values.slice(0, references.length).map((value, round) => value / (references[round] ?? NaN));
  return median(ratios);
}
