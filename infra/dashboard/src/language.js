// The texts of the page in English and French. A text that depends on a number has a form for one and one for more.

import { readStored, writeStored } from "./storage.js";

export const TEXTS = {
  en: {
    product: "Metrics", apps: "Applications", signOut: "Sign out", theme: "Light or dark", language: "Language",
    signIn: "Sign in", credential: "API key or token", keep: "Remember on this device",
    keepHint: "Otherwise it is forgotten when this tab is closed.",
    signInHint: "Paste an application’s API key, or a token. On this machine, the gateway prints a link that signs in.",
    malformed: "This is neither a key nor a token: those have no spaces and only ASCII characters.",
    refused: "This key or token is not accepted: it is mistyped, expired or revoked, or its application is switched off.",
    ended: "Your key or token is no longer accepted: it has expired or was revoked, or its application is switched off.",
    noViewing: "This key may publish, but not view. Ask for a key with the view scope.",
    open: "Open", loading: "Loading…", retry: "Try again", back: "All applications",
    live: "Live", hour: "Hour", day: "Day", week: "Week", range: "Span of time", selected: "Selection", reset: "Back to live",
    connecting: "Connecting…", waiting: "Back in {n} s", reconnecting: "Reconnecting…", on: "Live", off: "Not live",
    lostTitle: "The connection was lost",
    lostText: "The service stores what arrives meanwhile, and it will appear here without a gap.", now: "Try now",
    "sources.one": "{n} source", "sources.other": "{n} sources", noSources: "no source now",
    lastReport: "last report {ago}", never: "no report yet", inactive: "inactive",
    cpu: "CPU", memory: "Memory", process: "Process memory", load: "Load average", network: "Network",
    total: "total", used: "used", rss: "resident", heapUsed: "heap used", heapTotal: "heap",
    bySource: "By source", meanOf: "average of {n}", drawn: "{n} of {of} sources are drawn.", apartSince: "Sources are shown separately only since {t}.", p95: "95th percentile", view: "View",
    addSeries: "Add a series", searchHint: "Search {n} series", noMatch: "No series has a name like this.", more: "{n} more: type to narrow",
    remove: "Remove {name}", hide: "Show or hide {name}",
    summary: "Summary", series: "Series", avg: "Average", min: "Minimum", max: "Maximum", change: "Change", changeHint: "against the span before",
    reports: "Last reports", "taken.one": "{n} report received on this page", "taken.other": "{n} reports received on this page",
    reportsEmpty: "Reports appear here as they arrive.", paused: "Paused while a report is open",
    noAppsTitle: "There is no application here yet", noAppsText: "This token may view every application of its owner, who has none. Create one with:",
    manyApps: "Only the first 50 applications are shown.",
    noReportsTitle: "Nothing has been reported yet", noReportsText: "Charts appear with the first report. From any WebSocket client:",
    spanEmpty: "Nothing was reported in this span.",
    inactiveTitle: "This application is switched off", inactiveText: "It accepts no reports and shows none. Its owner can switch it on with:",
    forbiddenTitle: "You may not view this application", forbiddenText: "It may not exist, or your key or token does not include it.",
    unreachableTitle: "The service cannot be reached", unreachableText: "Check the network. This page retries by itself.",
    unavailableTitle: "The service is busy", unavailableText: "This page tries again by itself in a moment.",
    rejectedTitle: "The service rejected this request",
    chart: "{title}, {span}. Now: {values}. Arrow keys read the points, plus and minus zoom, Escape goes back.", nothing: "nothing",
    selectedSpan: "From {from} to {to}", ago: "{t} ago", just: "just now", appsNow: "Refreshed every ten seconds", lastHour: "CPU, last hour",
  },
  fr: {
    product: "Mesures", apps: "Applications", signOut: "Se déconnecter", theme: "Clair ou sombre", language: "Langue",
    signIn: "Se connecter", credential: "Clé d’API ou jeton", keep: "Mémoriser sur cet appareil",
    keepHint: "Sinon, oubliée à la fermeture de cet onglet.",
    signInHint: "Collez la clé d’API d’une application, ou un jeton. Sur cette machine, la passerelle affiche un lien qui connecte directement.",
    malformed: "Ce n’est ni une clé ni un jeton : ceux-ci n’ont ni espaces ni caractères hors ASCII.",
    refused: "Cette clé ou ce jeton n’est pas accepté : faute de frappe, expiration, révocation, ou application désactivée.",
    ended: "Votre clé ou votre jeton n’est plus accepté : expiration, révocation, ou application désactivée.",
    noViewing: "Cette clé permet d’envoyer, pas de consulter. Demandez une clé de consultation.",
    open: "Ouvrir", loading: "Chargement…", retry: "Réessayer", back: "Toutes les applications",
    live: "Direct", hour: "Heure", day: "Jour", week: "Semaine", range: "Période", selected: "Sélection", reset: "Revenir au direct",
    connecting: "Connexion…", waiting: "Retour dans {n} s", reconnecting: "Reconnexion…", on: "En direct", off: "Hors direct",
    lostTitle: "La connexion est perdue",
    lostText: "Le service garde ce qui arrive entre-temps : tout s’affichera ici, sans trou.", now: "Essayer maintenant",
    "sources.one": "{n} source", "sources.other": "{n} sources", noSources: "aucune source",
    lastReport: "dernier rapport {ago}", never: "aucun rapport", inactive: "inactive",
    cpu: "Processeur", memory: "Mémoire", process: "Mémoire du processus", load: "Charge moyenne", network: "Réseau",
    total: "total", used: "utilisée", rss: "résidente", heapUsed: "tas utilisé", heapTotal: "tas",
    bySource: "Par source", meanOf: "moyenne de {n}", drawn: "{n} sources sur {of} sont tracées.", apartSince: "Les sources ne sont affichées séparément que depuis {t}.", p95: "95e centile", view: "Affichage",
    addSeries: "Ajouter une série", searchHint: "Chercher parmi {n} séries", noMatch: "Aucune série ne porte ce nom.", more: "{n} de plus : précisez",
    remove: "Retirer {name}", hide: "Afficher ou masquer {name}",
    summary: "Résumé", series: "Série", avg: "Moyenne", min: "Minimum", max: "Maximum", change: "Évolution", changeHint: "par rapport à la période précédente",
    reports: "Derniers rapports", "taken.one": "{n} rapport reçu sur cette page", "taken.other": "{n} rapports reçus sur cette page",
    reportsEmpty: "Les rapports s’affichent ici dès leur arrivée.", paused: "En pause tant qu’un rapport est ouvert",
    noAppsTitle: "Aucune application pour l’instant", noAppsText: "Ce jeton donne accès aux applications de son propriétaire, qui n’en a aucune. Créez-en une :",
    manyApps: "Seules les 50 premières applications sont affichées.",
    noReportsTitle: "Rien n’a encore été mesuré", noReportsText: "Les graphiques commencent au premier rapport. Depuis tout client WebSocket :",
    spanEmpty: "Rien n’a été mesuré sur cette période.",
    inactiveTitle: "Cette application est désactivée", inactiveText: "Elle ne reçoit et n’affiche aucun rapport. Son propriétaire peut la réactiver :",
    forbiddenTitle: "Vous ne pouvez pas consulter cette application", forbiddenText: "Elle n’existe peut-être pas, ou votre clé ou jeton ne l’inclut pas.",
    unreachableTitle: "Le service est injoignable", unreachableText: "Vérifiez le réseau. Cette page réessaie d’elle-même.",
    unavailableTitle: "Le service est occupé", unavailableText: "Cette page réessaie d’elle-même dans un instant.",
    rejectedTitle: "Le service a rejeté cette requête",
    chart: "{title}, {span}. Maintenant : {values}. Les flèches lisent les points, plus et moins zooment, Échap revient.", nothing: "rien",
    selectedSpan: "De {from} à {to}", ago: "il y a {t}", just: "à l’instant", appsNow: "Actualisé toutes les dix secondes", lastHour: "Processeur, dernière heure",
  },
};
const LANGUAGE = "nsl-language";

let active = "en";

/** The languages of the page. */
export const LANGUAGES = { en: "English", fr: "Français" };

/** Uses the language that the viewer chose before, else the first language of the browser that the page has. */
export function startLanguage(preferred) {
  const candidates = [readStored(LANGUAGE), ...preferred].map((tag) => tag?.slice(0, 2));
  activate(candidates.find((tag) => tag in LANGUAGES) ?? "en");
}

export function chooseLanguage(language) {
  writeStored(LANGUAGE, language);
  activate(language);
}

export function language() {
  return active;
}

/** The text of `key`, translated, with each `{name}` replaced by its value. */
export function t(key, values = {}) {
  const text = TEXTS[active][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The form of `key` for the number `n`, displayed as `shown`. */
export function tCount(key, n, shown) {
  const form = new Intl.PluralRules(active).select(n) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { n: shown });
}

function activate(tag) {
  active = tag;
  document.documentElement.lang = tag;
}
