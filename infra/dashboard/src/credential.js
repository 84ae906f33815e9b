// The key or token of the viewer: from the fragment of the address, which no server receives, or pasted. It is stored
// until the tab is closed, or longer if the viewer chooses so.

import { readStored, writeStored } from "./storage.js";

const CREDENTIAL = "nsl-credential";
/** Storage of this tab, and of this browser. */
const STORES = ["sessionStorage", "localStorage"];
/** What a header and a subprotocol can contain. */
const VALID = /^[\x21-\x7e]{8,8192}$/;
/** Blanks at the start or the end: those that the service ignores there. */
const BLANKS = /^[\t\n\f\r ]+|[\t\n\f\r ]+$/g;

/** Removes a credential from the address, so that it is neither shown nor kept in the browser's history. */
export function takeFromAddress() {
  const params = new URLSearchParams(location.hash.slice(1));
  const found = params.get("key");
  if (found === null) return null;
  params.delete("key");
  history.replaceState(null, "", `${location.pathname}${location.search}#${params}`);
  return cleaned(found);
}

/** The credential without the blanks that pasting adds, as in every other place of one; null if it cannot be one. */
export function cleaned(text) {
  const trimmed = text.replace(BLANKS, "");
  return VALID.test(trimmed) ? trimmed : null;
}

export function storedCredential() {
  return STORES.map((store) => readStored(CREDENTIAL, store)).find((found) => found !== null && VALID.test(found)) ?? null;
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
