// Values that JavaScript has no type for. Each is a tag and what stands for it, the same in every packer.

/**
 * A value with a tag. What comes with a tag nobody knows here is one, and goes back as it came; so do Python's dates
 * without a zone (`time/date`, `time/time`, `time/date-time`), durations (`time/duration`) and fractions (`ratio`).
 */
export class TaggedValue<Rep = unknown> {
  /** `tag`: a name like `app/money`; those of one character belong to the format, with a string as rep. */
  constructor(
    readonly tag: string,
    /** What stands for the value: of types the packers know. */
    readonly rep: Rep,
  ) {
    check(tag, /^[^~^`#'].{0,127}$/s, "tag");
  }

  /** Whether the other has the same tag and the very same rep. (Two are never `===`, nor one key of a Map.) */
  equals(other: unknown): boolean {
    return other instanceof TaggedValue && other.tag === this.tag && other.rep === this.rep;
  }

  toString(): string {
    return String(this.rep);
  }

  /** Plain JSON has no tags. */
  toJSON(): Rep {
    return this.rep;
  }
}

/** A UUID; its text in lower case. */
export class UUID extends TaggedValue<string> {
  constructor(text: string) {
    super("u", check(text.toLowerCase(), /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, "UUID"));
  }
}

/** A decimal number as text, so that no digit is lost: `new Decimal("0.10")`. */
export class Decimal extends TaggedValue<string> {
  constructor(text: string) {
    super("f", check(text, /^(?=.{1,1000}$)-?(\d+(\.\d*)?(e[+-]?\d{1,9})?|nan|infinity)$/i, "decimal number"));
  }
}

/** A name that stands for itself: Clojure's `:done`, or `:task/done`. */
export class Keyword extends TaggedValue<string> {
  constructor(name: string) {
    super(":", name);
  }
}

/** A name that stands for something else: Python's `Symbol`. JavaScript's own is another thing. */
export class Sym extends TaggedValue<string> {
  constructor(name: string) {
    super("$", name);
  }
}

/** A URI as it was written; `URL` would write it anew. */
export class Uri extends TaggedValue<string> {
  constructor(text: string) {
    super("r", text);
  }
}

/** One character, for those who tell it from a string of length 1. */
export class Char extends TaggedValue<string> {
  constructor(character: string) {
    super("c", check(character, /^.$/su, "character"));
  }
}

function check(text: string, form: RegExp, what: string): string {
  if (!form.test(text)) throw new TypeError(`${JSON.stringify(text.slice(0, 40))} is no ${what}`);
  return text;
}
