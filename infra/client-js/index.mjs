// The publisher's entry as an ES module: the same instance that `require` returns.

import client from "./dist/index.js";

export const { connect } = client;
