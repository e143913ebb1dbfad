import fc from 'fast-check';

/** Ways to write addresses that must not be reached. */

const octet = fc.integer({ min: 0, max: 255 });
const word = fc.integer({ min: 0, max: 0xffff });

function ipv4(first: number, second: fc.Arbitrary<number> = octet): fc.Arbitrary<string> {
  return fc.tuple(second, octet, octet).map(([b, c, d]) => [first, b, c, d].join('.'));
}

export const privateIPv4 = fc.oneof(
  ipv4(0),
  ipv4(10),
  ipv4(100, fc.integer({ min: 64, max: 127 })),
  ipv4(127),
  ipv4(169, fc.constant(254)),
  ipv4(172, fc.integer({ min: 16, max: 31 })),
  ipv4(192, fc.constant(168)),
  fc.integer({ min: 224, max: 255 }).chain((first) => ipv4(first)),
);

/** The dotted address itself and the IPv6 addresses that lead to it. */
export const embeddings: fc.Arbitrary<(dotted: string) => string> = fc.constantFrom(
  (dotted: string) => dotted,
  (dotted: string) => `::ffff:${dotted}`,
  (dotted: string) => `0:0:0:0:0:FFFF:${dotted}`,
  (dotted: string) => `::ffff:${pair(dotted)}`,
  (dotted: string) => `64:ff9b::${dotted}`,
  (dotted: string) => `::${dotted}`,
  (dotted: string) => `::ffff:0:${dotted}`,
  (dotted: string) => `2002:${pair(dotted)}::1`,
);

function ipv6(first: fc.Arbitrary<number>): fc.Arbitrary<number[]> {
  return fc.tuple(first, fc.array(fc.oneof(fc.constant(0), word), { minLength: 7, maxLength: 7 })).map((parts) => {
    return [parts[0], ...parts[1]];
  });
}

export const privateIPv6 = fc.oneof(
  fc.constant([0, 0, 0, 0, 0, 0, 0, 1]),
  fc.constant([0, 0, 0, 0, 0, 0, 0, 0]),
  ipv6(fc.integer({ min: 0xfc00, max: 0xfdff })),
  ipv6(fc.integer({ min: 0xfe80, max: 0xfeff })),
  ipv6(fc.integer({ min: 0xff00, max: 0xffff })),
);

/** Any legal spelling: upper case, leading zeros, one run of zeros left out, a dotted end. */
export function spellIPv6(groups: readonly number[]): fc.Arbitrary<string> {
  const styles = fc.array(fc.constantFrom(1, 4), { minLength: 8, maxLength: 8 });
  return fc.tuple(styles, fc.boolean(), fc.boolean(), fc.boolean()).map(([widths, upper, shorten, dotted]) => {
    const parts = groups.map((group, i) => group.toString(16).padStart(widths[i] ?? 1, '0'));
    if (dotted)
      parts.splice(
        6,
        2,
        groups
          .slice(6)
          .flatMap((group) => [group >> 8, group & 0xff])
          .join('.'),
      );
    const start = groups.findIndex((group, i) => group === 0 && groups[i + 1] === 0 && i < 5);
    const text = shorten && start !== -1 ? leaveOut(parts, start, start + 2) : parts.join(':');
    return upper ? text.toUpperCase() : text;
  });
}

/** What a URL takes for an IPv4 address. */
export function spellIPv4(dotted: string): fc.Arbitrary<string> {
  const octets = dotted.split('.').map(Number);
  const number = octets.reduce((sum, part) => sum * 256 + part, 0);
  const bases = fc.array(fc.constantFrom(8, 10, 16), { minLength: 4, maxLength: 4 });
  const mixed = bases.map((list) => octets.map((part, i) => inBase(part, list[i] ?? 10)).join('.'));
  const short = bases.map(
    (list) => `${inBase(octets[0] ?? 0, list[0] ?? 10)}.${inBase(number % 2 ** 24, list[1] ?? 10)}`,
  );
  const single = fc.constantFrom(8, 10, 16).map((base) => inBase(number, base));
  const encoded = fc.constant(dotted.replaceAll('.', '%2e'));
  const fullWidth = (digit: string): string => String.fromCodePoint(0xff10 + Number(digit));
  const wide = fc.constant(dotted.replace(/\d/g, fullWidth).replaceAll('.', '。'));
  const mapped = fc.constantFrom(`[::ffff:${dotted}]`, `[::FFFF:${pair(dotted)}]`, `[64:ff9b::${dotted}]`);
  const ended = fc.constant(`${dotted}.`);
  return fc.oneof(mixed, short, single, encoded, wide, mapped, ended);
}

function inBase(part: number, base: number): string {
  if (base === 16) return `0x${part.toString(16)}`;
  return base === 8 ? `0${part.toString(8)}` : String(part);
}

function leaveOut(parts: readonly string[], from: number, to: number): string {
  return `${parts.slice(0, from).join(':')}::${parts.slice(to).join(':')}`;
}

function pair(dotted: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
