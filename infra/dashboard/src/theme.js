// Light or dark: as the system says, until the viewer says otherwise.

const STORED_THEME = "nsl-theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(onChange) {
  apply();
  DARK.addEventListener("change", () => (apply(), onChange()));
}

export function toggleTheme() {
  localStorage.setItem(STORED_THEME, current() === "dark" ? "light" : "dark");
  apply();
}

function current() {
  return localStorage.getItem(STORED_THEME) ?? (DARK.matches ? "dark" : "light");
}

function apply() {
  document.documentElement.dataset.theme = current();
}
