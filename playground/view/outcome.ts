/** How a line about a call is meant. */
export type Mood = 'quiet' | 'busy' | 'good' | 'bad';

/** How a call has ended, in a few words. */
export interface Outcome {
  readonly text: string;
  readonly mood: Mood;
}
