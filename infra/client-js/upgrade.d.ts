// The types of the entry that upgrades an unmodified NehonixSmartLogger. Loading it is all that is needed.

import type { Problem } from "./index.js";

/** `emitted` is always `sent + buffered + lostTotal`. */
export interface UpgradeStats {
  /**
   * `idle`: the library did not authenticate yet. `open`: the service admits it. `waiting`: for the next attempt.
   * `unsupported`: Node.js is older than 18.13, and nothing is done.
   */
  state: "idle" | "connecting" | "open" | "waiting" | "unsupported";
  /** Sockets that the library opened. */
  sockets: number;
  /** Reports and log entries that the library sent, without the copies of its further listeners. */
  emitted: number;
  /** Those that were sent to the service, which acknowledges none of the library's. */
  sent: number;
  /** Those that wait for a connection. */
  buffered: number;
  bufferedBytes: number;
  lostTotal: number;
  /** Lost reports and log entries by reason. */
  lost: Readonly<Record<"overflow" | "expired" | "too_large" | "rejected" | "closed" | "exit", number>>;
  /** Copies that were dropped. */
  duplicates: number;
  /** Connections to the service that opened, attempts that failed, and connections on which the library was admitted. */
  connections: number;
  failedConnections: number;
  admissions: number;
  /** The last problem of each code, the newest last. */
  problems: Problem[];
}

/** The figures of this process, whichever copy of the package counts them. */
export function stats(): UpgradeStats;
