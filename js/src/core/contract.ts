import { ProtocolError } from "../errors.js";
import { isObject, type PlainObject } from "./messages.js";

/** What one side calls its events: a hash of each by its id, and of them all. `E` is what they carry, for the compiler. */
export interface Contract<out E = unknown> {
  readonly hash: string;
  readonly events: Readonly<Record<string, string>>;
  /** Is never there. */
  readonly "~events"?: E;
}

/** How the server's contract differs from the client's, by the ids of events, sorted. */
export interface ContractDifference {
  /** What the server has, and this client does not know. */
  readonly added: readonly string[];
  /** What this client knows, and the server has no more. */
  readonly removed: readonly string[];
  /** What is another type there than here. */
  readonly changed: readonly string[];
}

/** How the server's events, which it tells where they differ, are others than `mine`. Throws a `ProtocolError`. */
export function difference(mine: Contract | undefined, { events }: PlainObject): ContractDifference | null {
  if (!mine || events == null) return null;
  if (!isObject(events)) throw new ProtocolError("events must be an object with a hash for each event");
  const theirs = events;
  const ours = mine.events;
  const has = Object.hasOwn;
  return {
    added: Object.keys(theirs).filter((id) => !has(ours, id)).sort(),
    removed: Object.keys(ours).filter((id) => !has(theirs, id)).sort(),
    changed: Object.keys(ours).filter((id) => has(theirs, id) && theirs[id] !== ours[id]).sort(),
  };
}
