// A certificate for localhost, made by openssl.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Its file, with what `https.createServer` needs; null without openssl, which fails if NSL_REQUIRE lists it. */
export function certificateIn(folder) {
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  try {
    execFileSync("openssl", [...request, "-keyout", key, "-out", cert], { stdio: "ignore" });
  } catch {
    assert.ok(!(process.env.NSL_REQUIRE ?? "").split(" ").includes("openssl"));
    return null;
  }
  return { file: cert, options: { key: readFileSync(key), cert: readFileSync(cert) } };
}
