/** Seeded random numbers, so that training gives the same weights every time. */
export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** A number in [0, 1): a Weyl sequence scrambled by multiply and xor-shift. */
  uniform() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return ((word ^ (word >>> 16)) >>> 0) / 0x1_0000_0000;
  }

  /** A number in [-limit, limit). */
  within(limit) {
    return (this.uniform() * 2 - 1) * limit;
  }

  /** A number from the normal distribution (Box and Muller). */
  normal() {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** The numbers 0 to count - 1 in random order. */
  permutation(count) {
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = Math.floor(this.uniform() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  }
}
