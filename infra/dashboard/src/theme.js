// Light or dark: as the system says, until the viewer says otherwise.

import { keep, recall } from "./language.js";

const STORED_THEME = "nsl-theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(onChange) {
  apply();
  DARK.addEventListener("change", () => (apply(), onChange()));
}

export function toggleTheme() {
  keep(STORED_THEME, current() === "dark" ? "light" : "dark");
  apply();
}

function current() {
  return recall(STORED_THEME) ?? (DARK.matches ? "dark" : "light");
}

function apply() {
  document.documentElement.dataset.theme = current();
}
