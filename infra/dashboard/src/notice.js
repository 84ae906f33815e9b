// Notices: what happened and what to do about it.

import { t } from "./language.js";
import { make } from "./elements.js";

/** A notice: `{kind, title, text, code, action: {label, run}}`, all but the kind and the title optional. */
export function notice({ kind, title, text, code, action }) {
  const urgent = kind === "error";
  return make(
    "section",
    { class: `notice ${kind}`, role: urgent ? "alert" : "status" },
    make("h2", {}, title),
    text ? make("p", {}, text) : null,
    code ? make("pre", { tabindex: "0" }, code) : null,
    action ? make("button", { type: "button", onclick: action.run }, action.label) : null,
  );
}

/** The notice of a failed call. */
export function failureNotice(failure, app, retry) {
  const again = { label: t("retry"), run: retry };
  if (failure.kind === "inactive") return inactiveNotice(app);
  if (failure.kind === "forbidden") {
    return notice({ kind: "error", title: t("forbiddenTitle"), text: t("forbiddenText"), action: toApps() });
  }
  if (failure.kind === "unreachable" || failure.kind === "unavailable") {
    return notice({ kind: "error", title: t(`${failure.kind}Title`), text: t(`${failure.kind}Text`), action: again });
  }
  return notice({ kind: "error", title: t("rejectedTitle"), text: failure.message, action: again });
}

export function inactiveNotice(app) {
  const code = `nsl app activate ${app}`;
  return notice({ kind: "quiet", title: t("inactiveTitle"), text: t("inactiveText"), code, action: toApps() });
}

/** Grey placeholders while content loads. */
export function skeleton(count, shape) {
  const shapes = Array.from({ length: count }, () => make("div", { class: `skeleton ${shape}` }));
  return make("div", { class: shape === "card" ? "apps" : "charts", role: "status", "aria-label": t("loading") }, shapes);
}

function toApps() {
  return { label: t("back"), run: () => (location.hash = "#") };
}
