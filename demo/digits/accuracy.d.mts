/** Share of the held-out digits that must be right. */
export const MIN_ACCURACY: number;

/** Share of answers that equal the label at the same place, 0 to 1. */
export function accuracy(answers: readonly number[], labels: readonly number[]): number;
