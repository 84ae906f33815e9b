// A client of the HTTP API: returns the answer or throws a Failure. Estimates the clock of the service from its answers.

/** The limit of API Gateway. */
const CALL_TIMEOUT_MS = 30_000;
/** The Date header has whole seconds: a smaller difference is ignored. */
const CLOCK_DIFFERS_MS = 2_000;
/** Longest pause after a call that was limited; the pages try again by themselves later. */
const PAUSE_MAX_MS = 10_000;
/** Most pauses of one call. */
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
  /** Until when no call is made, because one was limited. */
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
      await this.#pause();
      const response = await this.#send(address);
      this.#setClock(response.headers.get("date"));
      const answer = await response.json().catch(() => ({}));
      if (response.ok) return answer;
      if (!this.#pauseAfter(response, answer) || pauses === PAUSES_MAX) {
        throw new Failure(kindOf(response.status, answer.code), answer.message);
      }
    }
  }

  /** Waits until calls may be made again. */
  async #pause() {
    for (let left = this.#leftMs(); left > 0; left = this.#leftMs()) await new Promise((resume) => setTimeout(resume, left));
  }

  #leftMs() {
    return this.#pausedUntil - performance.now();
  }

  /** Pauses all calls for as long as a limited one must wait; returns whether it may be made again. */
  #pauseAfter(response, answer) {
    if (response.status !== 429) return false;
    const waitMs = answer.retryAfterMs ?? Number(response.headers.get("retry-after") ?? NaN) * 1_000;
    if (!(waitMs <= PAUSE_MAX_MS)) return false;
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + waitMs);
    return true;
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
