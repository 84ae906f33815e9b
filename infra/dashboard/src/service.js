// A client of the HTTP API: returns the answer or throws a Failure. Estimates the clock of the service from its answers.

/** The limit of API Gateway. */
const CALL_TIMEOUT_MS = 30_000;
/** The Date header has whole seconds: a smaller difference is ignored. */
const CLOCK_DIFFERS_MS = 2_000;
/** The longest pause after a call that was limited, and most of one call. */
const PAUSE_MAX_MS = 10_000;
const PAUSES_MAX = 3;

/** Why a call failed: unauthorised, inactive, forbidden, too_wide, rejected, unavailable or unreachable. */
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
  #pausedUntil = 0;

  constructor(base, credential, fetch = globalThis.fetch.bind(globalThis)) {
    this.#base = base;
    this.#credential = credential;
    this.#fetch = fetch;
  }

  /** Now by the clock of the service: that of the viewer may be wrong or jump. */
  now() {
    return Date.now() + this.#aheadMs;
  }

  /** The applications that the credential may view. */
  apps() {
    return this.#get("apps");
  }

  metrics(app, params) {
    return this.#getOf(app, "metrics", params);
  }

  summary(app, params) {
    return this.#getOf(app, "summary", params);
  }

  series(app) {
    return this.#getOf(app, "series");
  }

  #getOf(app, what, params) {
    return this.#get(`apps/${encodeURIComponent(app)}/${what}`, params);
  }

  async #get(path, params = {}) {
    const query = new URLSearchParams(params).toString();
    const address = `${this.#base}${path}${query === "" ? "" : `?${query}`}`;
    for (let pauses = 0; ; pauses += 1) {
      const left = this.#pausedUntil - performance.now();
      if (left > 0) await new Promise((resume) => setTimeout(resume, left));
      const response = await this.#send(address);
      this.#setClock(response.headers.get("date"));
      const answer = await response.json().catch(() => ({}));
      if (response.ok) return answer;
      const waitMs = answer.retryAfterMs ?? Number(response.headers.get("retry-after") ?? NaN) * 1_000;
      const isLimited = response.status === 429 && waitMs <= PAUSE_MAX_MS;
      if (!isLimited || pauses === PAUSES_MAX) throw new Failure(kindOf(response.status, answer.code), answer.message);
      this.#pausedUntil = performance.now() + waitMs;
    }
  }

  async #send(address) {
    const headers = { authorization: `Bearer ${this.#credential}` };
    try {
      // Revalidates cached answers: one that is a minute old would leave a gap before the live reports.
      return await this.#fetch(address, { headers, cache: "no-cache", signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    } catch (cause) {
      throw new Failure("unreachable", String(cause?.message ?? cause));
    }
  }

  #setClock(date) {
    const ahead = Date.parse(date ?? "") + 500 - Date.now();
    if (!Number.isNaN(ahead)) this.#aheadMs = Math.abs(ahead) > CLOCK_DIFFERS_MS ? ahead : 0;
  }
}

/** Rejections of API Gateway have no code: 401 without a credential, 403 with a wrong one. */
export function kindOf(status, code) {
  if (status === 401 || code === "unauthorized" || (status === 403 && code === undefined)) return "unauthorised";
  if (code === "app_inactive") return "inactive";
  if (status === 403) return "forbidden";
  if (code === "too_many_series") return "too_wide";
  return status >= 500 || status === 429 ? "unavailable" : "rejected";
}
