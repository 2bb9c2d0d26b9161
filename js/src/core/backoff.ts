/**
 * Seconds to wait after `failures` failed attempts in a row: none after the first, then doubling from `base` to `cap`,
 * spread over its upper half by `jitter` (0..1), so that the clients of a restarted server do not return in step.
 */
export function backoff(failures: number, base: number, cap: number, jitter: number): number {
  if (failures <= 1) return 0;
  return Math.min(cap, base * 2 ** Math.min(failures - 2, 32)) * (0.5 + jitter / 2);
}
