// Upgrades an unmodified NehonixSmartLogger in this process. An old Node.js gets a warning and nothing else.
"use strict";

var version = process.versions.node.split(".").map(Number);
if (version[0] > 18 || (version[0] === 18 && version[1] >= 13)) {
  module.exports = require("./dist/upgrade.js");
} else {
  process.emitWarning("nsl-client/upgrade needs Node.js 18.13 or newer and does nothing", "NslClientWarning", "NSL_NODE");
  exports.stats = function () {
    return {
      state: "unsupported", sockets: 0, emitted: 0, sent: 0, buffered: 0, bufferedBytes: 0, lostTotal: 0,
      lost: { overflow: 0, expired: 0, too_large: 0, rejected: 0, closed: 0, exit: 0 },
      duplicates: 0, connections: 0, failedConnections: 0, admissions: 0, problems: []
    };
  };
}
