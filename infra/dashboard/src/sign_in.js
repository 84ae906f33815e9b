// The form for a key or a token, with the reason why the last one was rejected.

import { cleaned } from "./credential.js";
import { t } from "./language.js";
import { make, setText } from "./elements.js";

/** The form; `submit(credential, persist)` returns the key of an error text, or null. */
export function signIn(reason, submit) {
  const field = make("input", {
    id: "credential", type: "password", name: "credential", required: true, autocomplete: "current-password",
    spellcheck: "false", autocapitalize: "none", "aria-describedby": "fault hint", placeholder: "nehonix@….nsl",
  });
  const keep = make("input", { id: "keep", type: "checkbox", "aria-describedby": "keep-hint" });
  const fault = make("p", { id: "fault", class: "fault", role: "alert" }, reason === null ? "" : t(reason));
  const button = make("button", { type: "submit", class: "primary" }, t("open"));
  const refuse = (key) => {
    setText(fault, key === null ? "" : t(key));
    field.setAttribute("aria-invalid", String(key !== null));
    field.focus();
  };
  const onsubmit = async (event) => {
    event.preventDefault();
    const text = cleaned(field.value);
    if (text === null) return refuse("malformed");
    button.disabled = true;
    const refused = await submit(text, keep.checked);
    button.disabled = false;
    if (refused !== null) refuse(refused);
  };
  return make(
    "form",
    { class: "sign-in", onsubmit, autocomplete: "on" },
    make("h1", {}, t("signIn")),
    make("p", { id: "hint", class: "muted" }, t("signInHint")),
    make("label", { for: "credential" }, t("credential")),
    field,
    fault,
    make("label", { class: "check" }, keep, make("span", {}, t("keep"))),
    make("p", { id: "keep-hint", class: "muted small" }, t("keepHint")),
    button,
  );
}
