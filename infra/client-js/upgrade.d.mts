// The types of the entry that upgrades the library, for ES modules.

export * from "./upgrade.js";
