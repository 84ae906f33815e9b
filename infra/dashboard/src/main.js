// The dashboard: signs in, shows the page that the address names, and drives its frames. It knows what any page could
// know: the address of the WebSocket that stands in its own document, and what the viewer gave it.

import { AppPage } from "./app_page.js";
import { AppsPage } from "./apps_page.js";
import { forget, remember, remembered, takeFromAddress } from "./credential.js";
import { startLanguage } from "./language.js";
import { make, put } from "./make.js";
import { fragmentOf, readPlace } from "./place.js";
import { Service } from "./service.js";
import { signIn } from "./sign_in.js";
import { startTheme } from "./theme.js";
import { TopBar } from "./top_bar.js";

const ADDRESS = document.querySelector("meta[name=nsl-websocket]").content;
/** The API stands beside the page, under whatever path the page has. */
const BASE = location.pathname.replace(/\/?$/, "/");

class Dashboard {
  #bar = new TopBar({ onLanguage: () => this.#restart(), onTheme: () => this.#page?.wake?.(), onSignOut: () => this.#signOut() });
  #view = make("div", { class: "view" });
  #credential = null;
  #service = null;
  #page = null;
  #place = null;

  async start() {
    startTheme(() => this.#page?.wake?.());
    startLanguage(navigator.languages);
    document.body.append(this.#bar.element, this.#bar.banner, this.#view);
    addEventListener("hashchange", () => this.#onAddress());
    addEventListener("online", () => this.#page?.wake?.());
    addEventListener("keydown", (event) => this.#onKey(event));
    document.addEventListener("visibilitychange", () => document.hidden || this.#page?.wake?.());
    requestAnimationFrame((clock) => this.#frame(clock));
    this.#onAddress();
  }

  #onAddress() {
    const given = takeFromAddress();
    if (given !== null && given !== this.#credential) {
      remember(given, false);
      this.#signOff();
    }
    this.#credential ??= remembered();
    if (this.#credential === null) this.#askWho(null);
    else this.#open(readPlace(location.hash));
  }

  #open(place) {
    this.#service ??= new Service(BASE, this.#credential);
    const isSame = this.#page instanceof AppPage && this.#place?.app === place.app;
    this.#place = place;
    if (isSame) return this.#page.moveTo(place);
    this.#page?.close();
    this.#bar.tell(null);
    this.#bar.show(true);
    const onFailure = (failure) => this.#onFailure(failure);
    if (place.app === null) this.#page = new AppsPage(this.#service, onFailure);
    else this.#page = new AppPage(this.#tools(onFailure), place);
    put(this.#view, this.#page.element);
    return undefined;
  }

  #tools(onFailure) {
    const go = (place) => (location.hash = fragmentOf(place));
    const onState = (state) => this.#bar.tell(state);
    return { service: this.#service, address: ADDRESS, credential: this.#credential, onState, onFailure, go };
  }

  /** Whether a failure was the whole dashboard's matter. */
  #onFailure(failure) {
    if (failure.kind !== "unauthorised") return false;
    // What else the browser remembers may still be good.
    forget(this.#credential);
    this.#askWho("ended");
    return true;
  }

  #askWho(reason) {
    this.#signOff();
    this.#bar.show(false);
    put(this.#view, make("main", { class: "page narrow" }, signIn(reason, (credential, isForLong) => this.#tryOut(credential, isForLong))));
    this.#view.querySelector("#credential").focus();
  }

  /** Tries a credential; answers with the reason of a refusal, or null. */
  async #tryOut(credential, isForLong) {
    try {
      const { apps } = await new Service(BASE, credential).apps();
      remember(credential, isForLong);
      this.#credential = credential;
      const wished = readPlace(location.hash);
      const only = apps.length === 1 ? apps[0].appId : null;
      const place = wished.app === null ? { ...wished, app: only } : wished;
      history.replaceState(null, "", fragmentOf(place));
      this.#open(place);
      return null;
    } catch (failure) {
      const reasons = { unauthorised: "refused", forbidden: "noViewing", unreachable: "unreachableTitle", unavailable: "unavailableTitle" };
      return reasons[failure.kind] ?? "rejectedTitle";
    }
  }

  /** The place goes too: the next credential may not see it. */
  #signOut() {
    forget();
    history.replaceState(null, "", "#");
    this.#askWho(null);
  }

  #signOff() {
    this.#page?.close();
    this.#page = null;
    this.#service = null;
    this.#credential = null;
    this.#bar.tell(null);
  }

  #restart() {
    this.#page?.close();
    this.#page = null;
    this.#onAddress();
  }

  #onKey(event) {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    if (event.key !== "/" || isTyping || this.#page?.focusSearch === undefined) return;
    event.preventDefault();
    this.#page.focusSearch();
  }

  #frame(clock) {
    this.#bar.tick();
    this.#page?.frame?.(clock);
    requestAnimationFrame((next) => this.#frame(next));
  }
}

new Dashboard().start();
