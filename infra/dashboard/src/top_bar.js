// The bar above every page: home, state of the connection, language, theme, sign-out.

import { LANGUAGES, chooseLanguage, language, t } from "./language.js";
import { make, put, setText } from "./elements.js";
import { fragmentOf } from "./route.js";
import { toggleTheme } from "./theme.js";
import { count } from "./units.js";

export class TopBar {
  element = make("header", { class: "bar" });
  banner = make("div", { class: "banner", role: "status" });
  #pill = make("p", { class: "pill", "aria-hidden": "true", hidden: true });
  /** The state for screen readers, without the seconds of a wait. */
  #status = make("p", { class: "unseen", role: "status" });
  #state = null;

  /** `actions`: onLanguage, onTheme, onSignOut. */
  constructor(actions) {
    this.actions = actions;
  }

  show(isSignedIn) {
    const home = make("a", { class: "brand", href: fragmentOf({}) }, make("i", { class: "mark", "aria-hidden": "true" }), t("product"));
    const options = Object.entries(LANGUAGES).map(([tag, name]) => make("option", { value: tag, lang: tag, "aria-label": name, selected: tag === language() }, tag.toUpperCase()));
    const languages = make("select", { "aria-label": t("language"), onchange: () => (chooseLanguage(languages.value), this.actions.onLanguage()) }, options);
    const theme = make("button", { type: "button", class: "icon", "aria-label": t("theme"), title: t("theme"), onclick: () => (toggleTheme(), this.actions.onTheme()) }, "◐");
    const out = make("button", { type: "button", class: "plain", onclick: () => this.actions.onSignOut() }, t("signOut"));
    put(this.element, home, this.#pill, this.#status, make("span", { class: "space" }), languages, theme, isSignedIn ? out : null);
    this.showState(isSignedIn ? this.#state : null);
  }

  /** Shows the state of the connection, or none, and a banner while it is lost. */
  showState(state) {
    this.#state = state;
    this.#pill.hidden = state === null;
    setText(this.#status, state === null ? "" : stateText(state.kind));
    this.tick();
    const isLost = state?.kind === "waiting" || state?.kind === "reconnecting";
    if (!isLost) return put(this.banner);
    if (this.banner.childElementCount > 0) return undefined;
    const retry = make("button", { type: "button", onclick: () => this.#state?.retry?.() }, t("now"));
    return put(this.banner, make("strong", {}, t("lostTitle")), make("span", {}, t("lostText")), retry);
  }

  /** Updates the seconds of a wait, by a monotonic clock. */
  tick() {
    if (this.#state === null) return;
    const { kind, until } = this.#state;
    this.#pill.dataset.kind = kind;
    const left = Math.max(1, Math.ceil((until - performance.now()) / 1000));
    setText(this.#pill, kind === "waiting" ? t("waiting", { n: count(left) }) : stateText(kind));
  }
}

function stateText(kind) {
  return t({ live: "on", waiting: "reconnecting" }[kind] ?? kind);
}
