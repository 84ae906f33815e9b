// The field that searches a series by a part of its name and adds its chart.

import { t } from "./language.js";
import { make, put } from "./elements.js";
import { count } from "./units.js";

/** Most names that are listed. */
const NAMES_LISTED_MAX = 40;

export class SeriesSearch {
  #names = () => [];
  #choose;
  #listed = [];
  #marked = -1;
  #list = make("ul", { id: "found", role: "listbox", class: "found", hidden: true, "aria-label": t("series") });
  #field = make("input", {
    type: "search", role: "combobox", class: "search", "aria-label": t("addSeries"), "aria-expanded": "false", "aria-controls": "found",
    "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: t("addSeries"),
  });

  /** `names()` returns the names to search; `choose(name)` receives the chosen one. */
  constructor(names, choose) {
    this.#names = names;
    this.#choose = choose;
    this.element = make("div", { class: "search-box" }, this.#field, this.#list);
    this.#field.addEventListener("input", () => this.#open());
    this.#field.addEventListener("focus", () => this.#open());
    this.#field.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusout", ({ relatedTarget }) => this.element.contains(relatedTarget) || this.#close());
  }

  focus() {
    this.#field.focus();
  }

  #open() {
    const wanted = this.#field.value.trim().toLowerCase();
    const all = this.#names();
    this.#field.placeholder = t("searchHint", { n: count(all.length) });
    const found = all.filter((name) => name.toLowerCase().includes(wanted));
    this.#listed = found.slice(0, NAMES_LISTED_MAX);
    const options = this.#listed.map((name, index) => make("li", { role: "option", id: `found-${index}`, tabindex: "-1", title: name, "aria-selected": "false", onclick: () => this.#take(name) }, name));
    const left = found.length - this.#listed.length;
    const tail = found.length === 0 ? t("noMatch") : left > 0 ? t("more", { n: count(left) }) : null;
    put(this.#list, options, tail === null ? null : make("li", { class: "muted", role: "presentation" }, tail));
    this.#list.hidden = false;
    this.#field.setAttribute("aria-expanded", "true");
    this.#mark(wanted === "" ? -1 : 0);
  }

  #close() {
    this.#list.hidden = true;
    this.#field.setAttribute("aria-expanded", "false");
    this.#field.removeAttribute("aria-activedescendant");
  }

  #options() {
    return [...this.#list.querySelectorAll("[role=option]")];
  }

  #mark(index) {
    const options = this.#options();
    this.#marked = Math.min(index, options.length - 1);
    for (const [index, option] of options.entries()) option.setAttribute("aria-selected", String(index === this.#marked));
    const marked = options[this.#marked];
    if (marked === undefined) return this.#field.removeAttribute("aria-activedescendant");
    this.#field.setAttribute("aria-activedescendant", marked.id);
    marked.scrollIntoView({ block: "nearest" });
  }

  #onKey(event) {
    if (event.key === "Escape") {
      this.#field.value = "";
      this.#close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.#list.hidden) this.#open();
      this.#mark(Math.max(0, this.#marked + (event.key === "ArrowDown" ? 1 : -1)));
    } else if (event.key === "Enter") {
      if (this.#marked >= 0) this.#take(this.#listed[this.#marked]);
    }
  }

  #take(name) {
    this.#field.value = "";
    this.#close();
    this.#choose(name);
  }
}
