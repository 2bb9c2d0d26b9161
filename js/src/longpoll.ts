import { readJson } from "./frames.js";

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

/** The answer, if its status is 200; throws a `Refusal` otherwise. */
export async function answer(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, credentials: "include" });
  const { status } = response;
  if (status === 200) return response;
  const seconds = response.headers.get("retry-after");
  if ((status === 429 || status === 503) && seconds && /^\d+$/.test(seconds)) {
    await response.body?.cancel();
    throw new Refusal(status, `retry_after=${Number(seconds) * 1000}`);
  }
  const said = readJson(await response.text()) as { error?: unknown } | null;
  throw new Refusal(status, typeof said?.error === "string" ? said.error : "");
}
