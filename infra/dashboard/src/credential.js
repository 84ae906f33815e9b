// The key or token of the viewer: from the fragment of the address, which no server receives, or pasted. It is stored
// until the tab is closed, or longer if the viewer chooses so.

import { readStored, writeStored } from "./storage.js";

const CREDENTIAL = "nsl-credential";
/** Storage of this tab, and of this browser. */
const STORES = ["sessionStorage", "localStorage"];
/** What a header and a subprotocol can contain. */
const VALID = /^[\x21-\x7e]{8,8192}$/;

/** Removes a credential from the address, so that it is neither shown nor kept in the browser's history. */
export function takeFromAddress() {
  const params = new URLSearchParams(location.hash.slice(1));
  const found = params.get("key");
  if (found === null) return null;
  params.delete("key");
  history.replaceState(null, "", `${location.pathname}${location.search}#${params}`);
  return isValid(found) ? found : null;
}

export function isValid(text) {
  return VALID.test(text);
}

export function storedCredential() {
  return STORES.map((store) => readStored(CREDENTIAL, store)).find((found) => found !== null && isValid(found)) ?? null;
}

/** Stores the credential for this tab, without touching that of the browser, or for this browser. */
export function storeCredential(credential, persist) {
  if (persist) forget();
  writeStored(CREDENTIAL, credential, STORES[Number(persist)]);
}

/** Removes every stored credential, or only `only`. */
export function forget(only) {
  for (const store of STORES) if (only === undefined || only === readStored(CREDENTIAL, store)) writeStored(CREDENTIAL, null, store);
}

/** The subprotocols of a handshake with the credential: docs/PROTOCOL.md, "Connecting". */
export function subprotocols(credential) {
  const base64 = btoa(credential).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["nsl.v1", `key.${base64}`];
}
