// Texts in the storage of the browser. If it denies storage, they are kept until the page is closed.

const pageStorage = new Map();

/** The text stored under `key`, or null. */
export function readStored(key, store = "localStorage") {
  try {
    return globalThis[store].getItem(key);
  } catch {
    return pageStorage.get(store + key) ?? null;
  }
}

/** Stores a text under `key`; null removes it. */
export function writeStored(key, text, store = "localStorage") {
  try {
    if (text === null) globalThis[store].removeItem(key);
    else globalThis[store].setItem(key, text);
  } catch {
    pageStorage.set(store + key, text);
  }
}
