// The upgrade of an unmodified NehonixSmartLogger, as an ES module; the CommonJS module is the same copy.

import upgrade from "./upgrade.js";

export const { stats } = upgrade;
