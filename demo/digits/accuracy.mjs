/** Share of the held-out digits that must be right. */
export const MIN_ACCURACY = 0.97;

/**
 * Share of answers that equal the label at the same place, 0 to 1.
 * @param {readonly number[]} answers
 * @param {readonly number[]} labels
 */
export function accuracy(answers, labels) {
  if (answers.length !== labels.length || labels.length === 0) {
    throw new RangeError(`expected as many answers as labels but received ${answers.length} and ${labels.length}`);
  }
  return answers.filter((answer, index) => answer === labels[index]).length / labels.length;
}
