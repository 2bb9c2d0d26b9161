import { readRow, writeRow } from "./frames.js";
import type { Wire } from "./packers/packer.js";

export type Fetch = typeof fetch;

/** The server answered with another status than 200. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Fetches the server's welcome; null if the answer is not JSON. */
export async function fetchWelcome(fetch: Fetch, url: string, init: RequestInit): Promise<unknown> {
  const response = await ask(fetch, `${url}&handshake?=1`, init);
  const text = await response.text();
  return parse(text);
}

/**
 * One exchange: a row of frames up, a row of frames down. It sets no header, so that another origin costs no
 * preflight.
 */
export async function exchange(fetch: Fetch, url: string, frames: readonly Wire[], init: RequestInit): Promise<Wire[]> {
  const response = await ask(fetch, url, { ...init, method: "POST", body: writeRow(frames) });
  return readRow(new Uint8Array(await response.arrayBuffer()));
}

async function ask(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, credentials: "include" });
  if (response.status === 200) return response;
  const retryAfter = response.headers.get("retry-after");
  if ((response.status === 429 || response.status === 503) && retryAfter && /^\d+$/.test(retryAfter)) {
    await response.body?.cancel();
    throw new Refusal(response.status, `retry_after=${Number(retryAfter) * 1000}`);
  }
  const said = parse(await response.text()) as { error?: unknown } | null;
  throw new Refusal(response.status, typeof said?.error === "string" ? said.error : "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
