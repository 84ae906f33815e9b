// The types of the publisher's entry, for ES modules.

export * from "./index.js";
