// The key or token of the viewer: from the address's fragment, which no server sees, or pasted. It is kept until the tab
// is closed, and longer only where the viewer says so.

import { keep, recall } from "./language.js";

const STORED_CREDENTIAL = "nsl-credential";
/** Of this tab, and of this browser. */
const STORES = ["sessionStorage", "localStorage"];
/** What a header and a subprotocol can carry. */
const SOUND = /^[\x21-\x7e]{8,8192}$/;

/** Takes a credential out of the address, so that it is neither shown nor kept in the browser's history. */
export function takeFromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const found = words.get("key");
  if (found === null) return null;
  words.delete("key");
  history.replaceState(null, "", `${location.pathname}${location.search}#${words}`);
  return isSound(found) ? found : null;
}

export function isSound(text) {
  return SOUND.test(text);
}

export function remembered() {
  return STORES.map((store) => recall(STORED_CREDENTIAL, store)).find((found) => found !== null && isSound(found)) ?? null;
}

/** Keeps the credential for this tab, which leaves alone what this browser remembers, or for this browser. */
export function remember(credential, isForLong) {
  if (isForLong) forget();
  keep(STORED_CREDENTIAL, credential, STORES[Number(isForLong)]);
}

/** Forgets every credential, or wherever it is kept the one that is named. */
export function forget(only) {
  for (const store of STORES) if (only === undefined || only === recall(STORED_CREDENTIAL, store)) keep(STORED_CREDENTIAL, null, store);
}

/** The subprotocols of a handshake that carries it: docs/PROTOCOL.md, Connecting. */
export function subprotocols(credential) {
  const base64 = btoa(credential).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["nsl.v1", `key.${base64}`];
}
