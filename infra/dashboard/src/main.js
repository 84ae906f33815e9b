// The dashboard: signs in, shows the page of the route, and draws its frames.

import { AppPage } from "./app_page.js";
import { AppsPage } from "./apps_page.js";
import { forget, storeCredential, storedCredential, takeFromAddress } from "./credential.js";
import { startLanguage } from "./language.js";
import { make, put } from "./elements.js";
import { fragmentOf, readRoute } from "./route.js";
import { Service } from "./service.js";
import { signIn } from "./sign_in.js";
import { startTheme } from "./theme.js";
import { TopBar } from "./top_bar.js";

const ADDRESS = document.querySelector("meta[name=nsl-websocket]").content;
/** The API has the same base path as the page. */
const BASE = location.pathname.replace(/\/?$/, "/");

class Dashboard {
  #bar = new TopBar({ onLanguage: () => this.#restart(), onTheme: () => this.#page?.wake?.(), onSignOut: () => this.#signOut() });
  #view = make("div", { class: "view" });
  #credential = null;
  #service = null;
  #page = null;
  #route = null;

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
      storeCredential(given, false);
      this.#reset();
    }
    this.#credential ??= storedCredential();
    if (this.#credential === null) this.#showSignIn(null);
    else this.#open(readRoute(location.hash));
  }

  #open(route) {
    this.#service ??= new Service(BASE, this.#credential);
    const isSame = this.#page instanceof AppPage && this.#route?.app === route.app;
    this.#route = route;
    if (isSame) return this.#page.moveTo(route);
    this.#page?.close();
    this.#bar.showState(null);
    this.#bar.show(true);
    const onFailure = (failure) => this.#onFailure(failure);
    if (route.app === null) this.#page = new AppsPage(this.#service, onFailure);
    else this.#page = new AppPage(this.#tools(onFailure), route);
    put(this.#view, this.#page.element);
    return undefined;
  }

  #tools(onFailure) {
    const go = (route) => (location.hash = fragmentOf(route));
    const onState = (state) => this.#bar.showState(state);
    return { service: this.#service, address: ADDRESS, credential: this.#credential, onState, onFailure, go };
  }

  /** Signs out if the credential is rejected; returns whether it did. */
  #onFailure(failure) {
    if (failure.kind !== "unauthorised") return false;
    // Another stored credential may still be valid.
    forget(this.#credential);
    this.#showSignIn("ended");
    return true;
  }

  #showSignIn(reason) {
    this.#reset();
    this.#bar.show(false);
    put(this.#view, make("main", { class: "page narrow" }, signIn(reason, (credential, persist) => this.#trySignIn(credential, persist))));
    this.#view.querySelector("#credential").focus();
  }

  /** Tries a credential; returns the key of an error text, or null. */
  async #trySignIn(credential, persist) {
    try {
      const { apps } = await new Service(BASE, credential).apps();
      storeCredential(credential, persist);
      this.#credential = credential;
      const requested = readRoute(location.hash);
      const only = apps.length === 1 ? apps[0].appId : null;
      const route = requested.app === null ? { ...requested, app: only } : requested;
      history.replaceState(null, "", fragmentOf(route));
      this.#open(route);
      return null;
    } catch (failure) {
      const reasons = { unauthorised: "refused", forbidden: "noViewing", unreachable: "unreachableTitle", unavailable: "unavailableTitle" };
      return reasons[failure.kind] ?? "rejectedTitle";
    }
  }

  /** Clears the route too: the next credential may not view it. */
  #signOut() {
    forget();
    history.replaceState(null, "", "#");
    this.#showSignIn(null);
  }

  #reset() {
    this.#page?.close();
    this.#page = null;
    this.#service = null;
    this.#credential = null;
    this.#bar.showState(null);
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
