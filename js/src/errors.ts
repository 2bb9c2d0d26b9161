/** The base of every error that this package throws on purpose. */
export class SenteError extends Error {
  override get name(): string {
    return "SenteError";
  }
}

/** No reply came before the deadline. A late one is dropped. */
export class RequestTimeout extends SenteError {
  override get name(): string {
    return "RequestTimeout";
  }
}

/** There is no line, or the session ended before the reply came. */
export class Disconnected extends SenteError {
  override get name(): string {
    return "Disconnected";
  }
}

/** The other side answered the request with an error. */
export class RequestFailed extends SenteError {
  override get name(): string {
    return "RequestFailed";
  }

  constructor(
    /** One word for programs: `"internal"`, `"forbidden"`, or what the handler chose. */
    readonly code: string,
    message = "",
    readonly data: unknown = null,
  ) {
    super(message || code);
  }
}

/** A value cannot be packed, or is larger than the server takes. */
export class PackError extends SenteError {
  override get name(): string {
    return "PackError";
  }

  constructor(
    /** What is wrong. */
    readonly reason: string,
    /** Where in the value: `data.items[3].price`. */
    readonly path = "",
    options?: ErrorOptions,
  ) {
    super(path ? `${path}: ${reason}` : reason, options);
  }

  /** The same, or any error, one step further out. */
  static within(step: string, error: unknown): PackError {
    const known = error instanceof PackError ? error : new PackError(String(error), "", { cause: error });
    return new PackError(known.reason, step + known.path, known.cause === undefined ? {} : { cause: known.cause });
  }
}

/** A frame that its packer cannot read. */
export class UnpackError extends SenteError {
  override get name(): string {
    return "UnpackError";
  }
}

/** Too much waits for the server: slow down, or wait for a request's reply now and then. */
export class OutboxFull extends SenteError {
  override get name(): string {
    return "OutboxFull";
  }
}

/** The server sent something the protocol does not allow; the client connects anew. */
export class ProtocolError extends SenteError {
  override get name(): string {
    return "ProtocolError";
  }
}

/** What the server did wrong, if that is what was thrown; throws on what is a bug of ours. */
export function protocolReason(error: unknown): string {
  if (error instanceof ProtocolError) return error.message;
  throw error;
}
