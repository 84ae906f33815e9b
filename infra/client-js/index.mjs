// What `require` returns, as an ES module.

import client from "./dist/index.js";

export const { connect } = client;
