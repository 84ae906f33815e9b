// The form that asks for a key or a token. It tells why the last one was refused.

import { isSound } from "./credential.js";
import { say } from "./language.js";
import { make, setText } from "./make.js";

/** The form; `submit(credential, isForLong)` answers with a key of the language where it is refused. */
export function signIn(reason, submit) {
  const field = make("input", {
    id: "credential", type: "password", name: "credential", required: true, autocomplete: "current-password",
    spellcheck: "false", autocapitalize: "none", "aria-describedby": "fault hint", placeholder: "nehonix@….nsl",
  });
  const keep = make("input", { id: "keep", type: "checkbox", "aria-describedby": "keep-hint" });
  const fault = make("p", { id: "fault", class: "fault", role: "alert" }, reason === null ? "" : say(reason));
  const button = make("button", { type: "submit", class: "primary" }, say("open"));
  const refuse = (key) => {
    setText(fault, key === null ? "" : say(key));
    field.setAttribute("aria-invalid", String(key !== null));
    field.focus();
  };
  const onsubmit = async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!isSound(text)) return refuse("malformed");
    button.disabled = true;
    const refused = await submit(text, keep.checked);
    button.disabled = false;
    if (refused !== null) refuse(refused);
  };
  return make(
    "form",
    { class: "sign-in", onsubmit, autocomplete: "on" },
    make("h1", {}, say("signIn")),
    make("p", { id: "hint", class: "muted" }, say("signInHint")),
    make("label", { for: "credential" }, say("credential")),
    field,
    fault,
    make("label", { class: "check" }, keep, make("span", {}, say("keep"))),
    make("p", { id: "keep-hint", class: "muted small" }, say("keepHint")),
    button,
  );
}
