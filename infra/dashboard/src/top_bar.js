// The bar above every page: the way home, the connection's state, language, light or dark, signing out.

import { LANGUAGES, chooseLanguage, language, say } from "./language.js";
import { make, put, setText } from "./make.js";
import { fragmentOf } from "./place.js";
import { toggleTheme } from "./theme.js";
import { count } from "./units.js";

export class TopBar {
  element = make("header", { class: "bar" });
  banner = make("div", { class: "banner", role: "status" });
  #pill = make("p", { class: "pill", "aria-hidden": "true", hidden: true });
  /** The state for those who listen: the seconds of a wait would be read aloud one by one. */
  #spoken = make("p", { class: "unseen", role: "status" });
  #state = null;

  /** `actions`: onLanguage, onTheme, onSignOut. */
  constructor(actions) {
    this.actions = actions;
  }

  show(isSignedIn) {
    const home = make("a", { class: "brand", href: fragmentOf({}) }, make("i", { class: "mark", "aria-hidden": "true" }), say("product"));
    const options = Object.entries(LANGUAGES).map(([tag, name]) => make("option", { value: tag, lang: tag, "aria-label": name, selected: tag === language() }, tag.toUpperCase()));
    const speak = make("select", { "aria-label": say("language"), onchange: () => (chooseLanguage(speak.value), this.actions.onLanguage()) }, options);
    const theme = make("button", { type: "button", class: "icon", "aria-label": say("theme"), title: say("theme"), onclick: () => (toggleTheme(), this.actions.onTheme()) }, "◐");
    const out = make("button", { type: "button", class: "plain", onclick: () => this.actions.onSignOut() }, say("signOut"));
    put(this.element, home, this.#pill, this.#spoken, make("span", { class: "space" }), speak, theme, isSignedIn ? out : null);
    this.tell(isSignedIn ? this.#state : null);
  }

  /** Shows the state of the connection, or none; what is wrong for longer than a moment gets a banner. */
  tell(state) {
    this.#state = state;
    this.#pill.hidden = state === null;
    setText(this.#spoken, state === null ? "" : wordOfState(state.kind));
    this.tick();
    const isLost = state?.kind === "waiting" || state?.kind === "redialling";
    if (!isLost) return put(this.banner);
    if (this.banner.childElementCount > 0) return undefined;
    const retry = make("button", { type: "button", onclick: () => this.#state?.retry?.() }, say("now"));
    return put(this.banner, make("strong", {}, say("lostTitle")), make("span", {}, say("lostText")), retry);
  }

  /** The seconds of a wait pass, by a clock that never jumps. */
  tick() {
    if (this.#state === null) return;
    const { kind, until } = this.#state;
    this.#pill.dataset.kind = kind;
    const left = Math.max(1, Math.ceil((until - performance.now()) / 1000));
    setText(this.#pill, kind === "waiting" ? say("waiting", { n: count(left) }) : wordOfState(kind));
  }
}

function wordOfState(kind) {
  return say({ live: "on", waiting: "redialling" }[kind] ?? kind);
}
