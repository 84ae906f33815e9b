// The words of the page in English and French, and what the browser keeps of a viewer's choices.
// A word that depends on a number has a form for one and one for more.

export const WORDS = {
  en: {
    product: "Metrics", apps: "Applications", signOut: "Sign out", theme: "Light or dark", language: "Language",
    signIn: "Sign in", credential: "API key or token", keep: "Remember on this device",
    keepHint: "Otherwise it is forgotten when this tab is closed.",
    signInHint: "Paste an application’s API key, or a token. On this machine, the gateway prints a link that signs in.",
    malformed: "This is neither a key nor a token: neither has such letters or spaces.",
    refused: "This key or token is not accepted: it is mistyped, has expired, was taken back, or its application is switched off.",
    ended: "Your key or token is no longer accepted: it has expired, was taken back, or its application is switched off.",
    noViewing: "This key may publish, but not view. Ask for a key with the view scope.",
    open: "Open", loading: "Loading…", retry: "Try again", back: "All applications",
    live: "Live", hour: "Hour", day: "Day", week: "Week", range: "Span of time", selected: "Selection", reset: "Back to live",
    connecting: "Connecting…", waiting: "Back in {n} s", redialling: "Reconnecting…", on: "Live", off: "Not live",
    lostTitle: "The connection was lost",
    lostText: "What arrives meanwhile is kept by the service, and appears here without a gap.", now: "Try now",
    "sources.one": "{n} source", "sources.other": "{n} sources", noSources: "no source now",
    lastReport: "last report {ago}", never: "no report yet", inactive: "inactive",
    cpu: "CPU", memory: "Memory", process: "Process memory", load: "Load average", network: "Network",
    total: "total", user: "user", system: "system", used: "used", rss: "resident", heapUsed: "heap used", heapTotal: "heap",
    bySource: "By source", meanOf: "average of {n}", drawn: "{n} of {of} sources are drawn.", apartSince: "This page can tell sources apart only since {t}.", p95: "95th percentile", view: "View",
    addSeries: "Add a series", searchHint: "Search {n} series", noMatch: "No series has that in its name.", more: "{n} more: type to narrow",
    remove: "Remove {name}", hide: "Show or hide {name}",
    summary: "Summary", series: "Series", avg: "Average", min: "Least", max: "Greatest", change: "Change", changeHint: "against the span before",
    reports: "Last reports", "taken.one": "{n} report received on this page", "taken.other": "{n} reports received on this page",
    reportsEmpty: "Reports appear here as they arrive.", paused: "Paused while a report is open",
    noAppsTitle: "There is no application here yet", noAppsText: "This token may see every application of its owner, who has none. Make one with:",
    manyApps: "Only the first 50 applications are shown.",
    noReportsTitle: "Nothing has been reported yet", noReportsText: "The charts begin with the first report. From any WebSocket client:",
    spanEmpty: "Nothing was reported in this span.",
    inactiveTitle: "This application is switched off", inactiveText: "It takes no reports and shows none. Its owner can switch it on with:",
    forbiddenTitle: "This application is not yours to view", forbiddenText: "It may not exist, or your key or token does not name it.",
    unreachableTitle: "The service cannot be reached", unreachableText: "Check the network. This page keeps trying by itself.",
    unavailableTitle: "The service is busy", unavailableText: "This page tries again by itself in a moment.",
    rejectedTitle: "The service refused this question",
    chart: "{title}, {span}. Now: {values}. Arrow keys read the points, plus and minus zoom, Escape goes back.", nothing: "nothing",
    selectedSpan: "From {from} to {to}", ago: "{t} ago", just: "just now", appsNow: "Refreshed every ten seconds", lastHour: "CPU, last hour",
  },
  fr: {
    product: "Mesures", apps: "Applications", signOut: "Se déconnecter", theme: "Clair ou sombre", language: "Langue",
    signIn: "Se connecter", credential: "Clé d’API ou jeton", keep: "Mémoriser sur cet appareil",
    keepHint: "Sinon, oubliée à la fermeture de cet onglet.",
    signInHint: "Collez la clé d’API d’une application, ou un jeton. Sur cette machine, la passerelle affiche un lien qui connecte directement.",
    malformed: "Ce n’est ni une clé ni un jeton : ils n’ont ni espaces ni de telles lettres.",
    refused: "Cette clé ou ce jeton n’est pas accepté : faute de frappe, expiration, révocation, ou application désactivée.",
    ended: "Votre clé ou votre jeton n’est plus accepté : expiration, révocation, ou application désactivée.",
    noViewing: "Cette clé permet d’envoyer, pas de consulter. Demandez une clé de consultation.",
    open: "Ouvrir", loading: "Chargement…", retry: "Réessayer", back: "Toutes les applications",
    live: "Direct", hour: "Heure", day: "Jour", week: "Semaine", range: "Période", selected: "Sélection", reset: "Revenir au direct",
    connecting: "Connexion…", waiting: "Retour dans {n} s", redialling: "Reconnexion…", on: "En direct", off: "Hors direct",
    lostTitle: "La connexion est perdue",
    lostText: "Le service garde ce qui arrive entre-temps : tout s’affichera ici, sans trou.", now: "Essayer maintenant",
    "sources.one": "{n} source", "sources.other": "{n} sources", noSources: "aucune source",
    lastReport: "dernier rapport {ago}", never: "aucun rapport", inactive: "inactive",
    cpu: "Processeur", memory: "Mémoire", process: "Mémoire du processus", load: "Charge moyenne", network: "Réseau",
    total: "total", user: "utilisateur", system: "système", used: "utilisée", rss: "résidente", heapUsed: "tas utilisé", heapTotal: "tas",
    bySource: "Par source", meanOf: "moyenne de {n}", drawn: "{n} sources sur {of} sont tracées.", apartSince: "Cette page ne distingue les sources que depuis {t}.", p95: "95e centile", view: "Affichage",
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
    forbiddenTitle: "Cette application ne vous est pas ouverte", forbiddenText: "Elle n’existe peut-être pas, ou votre clé ou jeton ne la nomme pas.",
    unreachableTitle: "Le service est injoignable", unreachableText: "Vérifiez le réseau. Cette page réessaie d’elle-même.",
    unavailableTitle: "Le service est occupé", unavailableText: "Cette page réessaie d’elle-même dans un instant.",
    rejectedTitle: "Le service a refusé cette question",
    chart: "{title}, {span}. Maintenant : {values}. Les flèches lisent les points, plus et moins zooment, Échap revient.", nothing: "rien",
    selectedSpan: "De {from} à {to}", ago: "il y a {t}", just: "à l’instant", appsNow: "Actualisé toutes les dix secondes", lastHour: "Processeur, dernière heure",
  },
};
const STORED_LANGUAGE = "nsl-language";

let spoken = "en";
/** A browser that refuses to keep anything forgets with the page, and works. */
const keptHere = new Map();

/** The languages of the page by their own names. */
export const LANGUAGES = { en: "English", fr: "Français" };

/** Speaks what the viewer chose before, else the first of the browser's languages that the page knows. */
export function startLanguage(preferred) {
  const wished = [recall(STORED_LANGUAGE), ...preferred].map((tag) => tag?.slice(0, 2));
  speak(wished.find((tag) => tag in LANGUAGES) ?? "en");
}

export function chooseLanguage(language) {
  keep(STORED_LANGUAGE, language);
  speak(language);
}

/** What is kept under `key`, or null. */
export function recall(key, store = "localStorage") {
  try {
    return globalThis[store].getItem(key);
  } catch {
    return keptHere.get(store + key) ?? null;
  }
}

/** Keeps a text under `key`, or nothing more of it where it is null. */
export function keep(key, text, store = "localStorage") {
  try {
    if (text === null) globalThis[store].removeItem(key);
    else globalThis[store].setItem(key, text);
  } catch {
    keptHere.set(store + key, text);
  }
}

export function language() {
  return spoken;
}

/** The words of `key` with `{name}` replaced by what `values` has of that name. */
export function say(key, values = {}) {
  const words = WORDS[spoken][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The form of `key` for `n`, which is told as `shown`. */
export function sayCount(key, n, shown) {
  const form = new Intl.PluralRules(spoken).select(n) === "one" ? "one" : "other";
  return say(`${key}.${form}`, { n: shown });
}

function speak(tag) {
  spoken = tag;
  document.documentElement.lang = tag;
}
