// What stands for a string that has been said (transit-format, "Caching").

const RADIX = 44;
const FIRST = 48; // "0"
const FULL = RADIX * RADIX;

/** The first item of an array that is a map. */
export const MAP = "^ ";

/** What stands for the string of this number. */
export function codeOf(number: number): string {
  const low = String.fromCharCode((number % RADIX) + FIRST);
  return number < RADIX ? `^${low}` : `^${String.fromCharCode(Math.floor(number / RADIX) + FIRST)}${low}`;
}

/** Whether the cache is full with so many: then both sides begin anew. */
export function isFull(size: number): boolean {
  return size === FULL;
}

/** Whether a string is worth a code. */
export function isLong(text: string): boolean {
  return text.length > 3;
}
