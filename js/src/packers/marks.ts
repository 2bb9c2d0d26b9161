// What both forms of Transit begin strings with.

/** Whether a string begins with what Transit gives a meaning to: ~ ^ ` */
export function isMarked(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 0x7e || first === 0x5e || first === 0x60;
}

/** A number as it stands in JSON: itself, or a string where JSON has no word for it or would make it an integer. */
export function numberText(number: number): number | string {
  if (Number.isSafeInteger(number) ? !Object.is(number, -0) : Number.isFinite(number) && !Number.isInteger(number)) {
    return number;
  }
  if (Number.isFinite(number)) return `~d${Object.is(number, -0) ? "-0.0" : number}`;
  return number < 0 ? "~z-INF" : number > 0 ? "~zINF" : "~zNaN";
}

/** How a scalar is written as a key; null: it is none. */
export function asKey(written: unknown): string | null {
  switch (typeof written) {
    case "string":
      return written;
    case "number":
      return `~${Number.isInteger(written) ? "i" : "d"}${written}`;
    case "boolean":
      return written ? "~?t" : "~?f";
    default:
      return written === null ? "~_" : null;
  }
}

/** Bytes as text. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
