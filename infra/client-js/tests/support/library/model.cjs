// A model of the published library, after docs/LEGACY_CLIENTS.md; tests/compat/library.rs is the one of the service's
// tests. It knows nothing of this package. Its times are divided by `speed`, so that twenty attempts take no minute.

"use strict";

const { EventEmitter } = require("node:events");
const path = require("node:path");

/** The constants that both models have; a test compares them. */
const FACTS = { REPORT_EVERY: 1, RECONNECT_AFTER: 3, HANDSHAKES_MAX: 20, SECOND_COPY_MS_BELOW: 10 };
const ADDRESS = "ws://localhost:8087";

/**
 * The library on this copy of `ws` and this `fs`.
 * Of its versions, `versions.old` opens a socket whenever credentials are set, and reports as `metrics`.
 */
function libraryOn(WebSocket, fs, { address = ADDRESS, speed = 1, old = false, quiet = false, show = () => {} } = {}) {
  const reports = new EventEmitter();

  class Library {
    pendingLogs = [];
    attempts = 0;
    failures = 0;
    emitted = 0;
    isAuthenticated = false;
    #folder = "";
    #config = null;
    #socket = null;
    #isRemote = false;
    #interval = null;

    from(folder) {
      this.#folder = path.resolve(process.cwd(), folder);
      return this;
    }

    import(name) {
      this.#config = JSON.parse(fs.readFileSync(path.join(this.#folder, name), "utf-8"));
      this.initialize();
      if (old) this.enableRemoteMode();
      return this;
    }

    /** The import does it, and then the host: two listeners on one interval. */
    async initialize() {
      clearInterval(this.#interval);
      this.#interval = setInterval(() => {
        this.emitted += 1;
        reports.emit("metrics", { process: { uptime: process.uptime() }, number: this.emitted });
      }, (1_000 * FACTS.REPORT_EVERY) / speed);
      reports.on("metrics", (metrics) => this.#report(metrics));
    }

    enableRemoteMode() {
      this.pendingLogs = [];
      this.#isRemote = true;
      if (old || this.#socket === null || this.#socket.readyState === WebSocket.CLOSED) this.#connect();
      else if (this.#socket.readyState === WebSocket.OPEN) this.#authenticate();
      return this;
    }

    /** No remote mode, and no monitoring. */
    disable() {
      clearInterval(this.#interval);
      this.#isRemote = false;
      this.#socket?.close();
      this.#socket = null;
    }

    log(message) {
      const entry = { id: `${this.emitted}-${message}`, timestamp: new Date().toISOString(), level: "info", message };
      if (!this.isAuthenticated) return void this.pendingLogs.push(entry);
      if (!quiet) show({ printed: message });
      this.#send("logs", { logs: [entry] });
    }

    #connect() {
      this.attempts += 1;
      const socket = new WebSocket(address);
      this.#socket = socket;
      socket.on("open", () => {
        this.failures = 0;
        this.#authenticate();
      });
      socket.on("message", (text) => this.#read(JSON.parse(text)));
      socket.on("error", (error) => show({ error: error.message }));
      socket.on("close", () => {
        if (!this.#isRemote) return;
        if (this.failures >= FACTS.HANDSHAKES_MAX) return show({ gaveUp: this.failures });
        this.failures += 1;
        setTimeout(() => this.#connect(), (1_000 * FACTS.RECONNECT_AFTER) / speed);
      });
    }

    #authenticate() {
      this.#send("auth", {});
    }

    #report(metrics) {
      if (!this.isAuthenticated) return;
      this.#send(old ? "metrics" : "send_metrics", { metrics, timestamp: new Date().toISOString() });
    }

    #send(type, fields, more = {}) {
      if (this.#socket?.readyState !== WebSocket.OPEN) return;
      const { user, app } = this.#config;
      this.#socket.send(JSON.stringify({ type, ...more, data: { userId: user.userId, appId: app.appId, ...fields } }));
    }

    #read(message) {
      const { type, payload, data } = message;
      if (type === "auth_success") {
        show({ admitted: payload.userId.slice(0, 16) });
        this.isAuthenticated = true;
        for (const entry of this.pendingLogs.splice(0)) this.#send("logs", { logs: [entry] });
        this.#send("history", {}, { ws_sent_config: { response_type: "request_history" } });
      } else if (type === "auth_error") {
        throw new Error(`Auth error: ${payload.message}`);
      } else if (type === "clear") {
        this.#socket.send('{"type":"clear"}');
      } else if (type === "command") {
        this.#obey(data);
      } else if (type === "get_last_actions") {
        payload.forEach((action) => this.#obey(action.data));
      } else if (type === "request_history") {
        show({ history: payload.logs.length });
      }
    }

    #obey(command) {
      const isSwitch = command.type === "console_toggle" || command.type === "encryption_toggle";
      show(isSwitch ? { command: command.type, enabled: command.data.enabled } : { unknown: command.type });
    }
  }

  return new Library();
}

module.exports = { FACTS, libraryOn };
