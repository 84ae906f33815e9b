// The types of the publisher's entry.

/** Options of `connect`. A number that is out of its range is replaced by its default, which is reported as a problem. */
export interface ConnectOptions {
  /** The WebSocket address of the service: `wss://` on AWS, `ws://` on this machine. */
  url: string | { readonly href: string };
  /** The app that is reported for. */
  appId: string;
  /** An API key of the app that may publish, or a token. */
  apiKey: string;
  /** Name of this process, at most 128 of `A-Z a-z 0-9 _ . : @ -`; the default is made of host name, process id and thread. */
  source?: string;
  /** How long a report waits for others of its batch. Default 1,000. */
  batchMs?: number;
  /** Most reports of a batch. Default 100, which is the most. */
  maxBatchReports?: number;
  /** Most bytes of a batch; a larger report is sent alone. Default 30,720, which is the most. */
  maxBatchBytes?: number;
  /** Most reports that are buffered. Default 10,000. */
  maxBufferedReports?: number;
  /** Most bytes of reports that are buffered. Default 8,388,608. */
  maxBufferedBytes?: number;
  /** How long a handshake may take. Default 10,000. */
  connectTimeoutMs?: number;
  /** How long an answer may take before the connection counts as dead. Default 30,000. */
  ackTimeoutMs?: number;
  /** The first delay before a reconnect, about; it doubles with each failure. Default 1,000. */
  reconnectMinMs?: number;
  /** The longest delay before a reconnect. Default 60,000. */
  reconnectMaxMs?: number;
  /** After how long without a report a ping is sent. Default 300,000. */
  pingMs?: number;
  /** How long a process that has nothing else to do waits for answers. Default 2,000. */
  exitFlushMs?: number;
  /** Called for the 1st, 2nd, 4th, 8th ... occurrence of each problem. Default: `process.emitWarning`; null: nothing. */
  onProblem?: ((problem: Problem) => unknown) | null;
}

/** What went wrong. */
export interface Problem {
  /** `bad_option`, `clock`, `connection`, `handshake`, `internal`, a reason of `Stats.lost`, or a code of the service. */
  code: string;
  message: string;
  /** Occurrences of this code until now. */
  count: number;
  /** Instant of the last one, ISO 8601. */
  at: string;
}

/** `emitted` is always `stored + buffered + lostTotal`. */
export interface Stats {
  state: "connecting" | "open" | "waiting" | "closed" | "misconfigured";
  source: string;
  /** Calls of `report`. */
  emitted: number;
  /** Reports that the service acknowledged as stored. */
  stored: number;
  /** Reports without a final answer. */
  buffered: number;
  bufferedBytes: number;
  lostTotal: number;
  /** Lost reports by reason: those of this package, and the codes of the service that occurred. */
  lost: Record<LossReason, number> & Record<string, number>;
  /** How far this machine's clock is ahead of the service's: 0 within ten seconds, null if the service does not show it. */
  clockSkewMs: number | null;
  /** Reports that got the service's time, because this machine's clock is more than ten seconds off. */
  correctedTimestamps: number;
  /** Connections that opened, and attempts that failed. */
  connections: number;
  failedConnections: number;
  sentFrames: number;
  resentFrames: number;
  /** Frames from the service that this package does not use. */
  ignoredFrames: number;
  /** The last problem of each code, the newest last; at most 61. */
  problems: Problem[];
}

export type LossReason =
  | "invalid"
  | "too_large"
  | "overflow"
  | "unconfirmed"
  | "transport"
  | "misconfigured"
  | "closed"
  | "exit";

/** A JSON object; `NaN` and infinities become null. */
export type Metrics = object;

export interface ReportOptions {
  /** When it was measured: a Date, or milliseconds since 1970; it is never corrected. Default: now. */
  timestamp?: Date | number | null;
}

export interface Publisher {
  /** Buffers a report. False if it is lost, which is counted. */
  report(metrics: Metrics, options?: ReportOptions): boolean;
  /** Waits for the answers to all that is buffered now; false if they take longer. Default 5,000 ms. Never rejects. */
  flush(timeoutMs?: number): Promise<boolean>;
  /** Accepts no more reports, flushes, closes the connection, and counts what is left as lost. Never rejects. */
  close(timeoutMs?: number): Promise<Stats>;
  stats(): Stats;
}

/** Starts a publisher. It throws nothing: with wrong options, its state is `misconfigured`. */
export function connect(options: ConnectOptions): Publisher;
