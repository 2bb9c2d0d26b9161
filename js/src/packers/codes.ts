// What stands for a string that has been said (transit-format, "Caching").

const RADIX = 44;
const FIRST = 48; // "0"
const FULL = RADIX * RADIX;

/** The first item of an array that is a map. */
export const MAP = "^ ";

/** What stands for the string of this number; after the last, both sides begin anew. */
export function codeOf(number: number): string {
  const at = number % FULL;
  const low = String.fromCharCode((at % RADIX) + FIRST);
  return at < RADIX ? `^${low}` : `^${String.fromCharCode(Math.floor(at / RADIX) + FIRST)}${low}`;
}

/** Whether the cache is full with so many. */
export function isFull(size: number): boolean {
  return size === FULL;
}

/** Whether a string is worth a code. */
export function isLong(text: string): boolean {
  return text.length > 3;
}
