import { PackError } from "../errors.js";
import { TaggedValue } from "../values.js";
import type { Types } from "./types.js";

/**
 * Throws a `PackError` unless these can be the members of a set, or the keys of a map, in Python too: compared by what
 * they say, no two are equal, and none is an object or a Map. Python could not read the frame, and so the line would go.
 */
export function checkMembers(members: Iterable<unknown>, types: Types): void {
  const seen = new Set<string>();
  for (const member of members) {
    const said = identity(member, types);
    if (seen.has(said)) throw new PackError(`two members or keys that are equal: ${said.slice(0, 40)}`);
    seen.add(said);
  }
}

function identity(value: unknown, types: Types): string {
  const reduced = types.reduce(value);
  if (typeof reduced === "string") return JSON.stringify(reduced);
  if (reduced === null) return "null";
  if (typeof reduced !== "object") return String(Number(reduced)); // to Python, true is 1
  if (Array.isArray(reduced)) return `[${reduced.map((inner) => identity(inner, types))}]`;
  if (reduced instanceof Uint8Array) return `bytes ${reduced}`;
  if (reduced instanceof TaggedValue) {
    const { tag, rep } = reduced;
    if (tag === "set") return `set ${(rep as unknown[]).map((inner) => identity(inner, types)).sort()}`;
    return tag === "i" || tag === "n" ? String(rep) : `${tag} ${identity(rep, types)}`;
  }
  throw new PackError("an object or a Map can be neither a member of a Set nor a key of a Map");
}
