// Light or dark: the setting of the system, until the viewer chooses.

import { readStored, writeStored } from "./storage.js";

const THEME = "nsl-theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(onChange) {
  apply();
  DARK.addEventListener("change", () => (apply(), onChange()));
}

export function toggleTheme() {
  writeStored(THEME, current() === "dark" ? "light" : "dark");
  apply();
}

function current() {
  return readStored(THEME) ?? (DARK.matches ? "dark" : "light");
}

function apply() {
  document.documentElement.dataset.theme = current();
}
