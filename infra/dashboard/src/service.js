// The service's HTTP API: one call at a time in, an answer or a named failure out. Knows the service's clock by its answers.

/** No call waits longer, API Gateway's own limit. */
const PATIENCE_MS = 30_000;
/** The Date header tells whole seconds: a smaller difference may be none. */
const CLOCK_DIFFERS_MS = 2_000;

/** Why a call has no answer: unauthorised, inactive, forbidden, too_wide, rejected, unavailable or unreachable. */
export class Failure extends Error {
  constructor(kind, message = "") {
    super(message);
    this.kind = kind;
  }
}

export class Service {
  #base;
  #credential;
  #fetch;
  #aheadMs = 0;

  constructor(base, credential, fetch = globalThis.fetch.bind(globalThis)) {
    this.#base = base;
    this.#credential = credential;
    this.#fetch = fetch;
  }

  /** The present by the service's clock, for a viewer's own may be wrong or jump. */
  now() {
    return Date.now() + this.#aheadMs;
  }

  /** The applications that the credential may see. */
  apps() {
    return this.#ask("apps");
  }

  metrics(app, words) {
    return this.#askOf(app, "metrics", words);
  }

  summary(app, words) {
    return this.#askOf(app, "summary", words);
  }

  series(app) {
    return this.#askOf(app, "series");
  }

  #askOf(app, what, words) {
    return this.#ask(`apps/${encodeURIComponent(app)}/${what}`, words);
  }

  async #ask(path, words = {}) {
    const query = new URLSearchParams(words).toString();
    const response = await this.#send(`${this.#base}${path}${query === "" ? "" : `?${query}`}`);
    this.#note(response.headers.get("date"));
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Failure(kindOf(response.status, answer.code), answer.message);
    return answer;
  }

  async #send(address) {
    const headers = { authorization: `Bearer ${this.#credential}` };
    try {
      // An answer that the browser keeps is asked for again: where live reports begin, a minute would be a gap.
      return await this.#fetch(address, { headers, cache: "no-cache", signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (cause) {
      throw new Failure("unreachable", String(cause?.message ?? cause));
    }
  }

  #note(date) {
    const ahead = Date.parse(date ?? "") + 500 - Date.now();
    if (!Number.isNaN(ahead)) this.#aheadMs = Math.abs(ahead) > CLOCK_DIFFERS_MS ? ahead : 0;
  }
}

/** API Gateway's own refusals have no code: 401 of no credential, 403 of a wrong one. */
export function kindOf(status, code) {
  if (status === 401 || code === "unauthorized" || (status === 403 && code === undefined)) return "unauthorised";
  if (code === "app_inactive") return "inactive";
  if (status === 403) return "forbidden";
  if (code === "too_many_series") return "too_wide";
  return status >= 500 || status === 429 ? "unavailable" : "rejected";
}
