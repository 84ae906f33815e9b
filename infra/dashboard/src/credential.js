// The key or token of the viewer: from the address's fragment, which no server sees, or pasted. It is kept until the tab
// is closed, and longer only where the viewer says so.

const STORED_CREDENTIAL = "nsl-credential";
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
  return read(sessionStorage) ?? read(localStorage);
}

/** Keeps the credential for this tab, or for this browser. */
export function remember(credential, isForLong) {
  forget();
  write(isForLong ? localStorage : sessionStorage, credential);
}

export function forget() {
  for (const store of [sessionStorage, localStorage]) store.removeItem(STORED_CREDENTIAL);
}

/** The subprotocols of a handshake that carries it: docs/PROTOCOL.md, Connecting. */
export function subprotocols(credential) {
  const base64 = btoa(credential).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["nsl.v1", `key.${base64}`];
}

function read(store) {
  const found = store.getItem(STORED_CREDENTIAL);
  return found !== null && isSound(found) ? found : null;
}

// A browser that refuses to store anything forgets, and works.
function write(store, credential) {
  try {
    store.setItem(STORED_CREDENTIAL, credential);
  } catch {
    return;
  }
}
