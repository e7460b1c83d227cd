import { KB } from "./units.ts";

/** Bounds of what the web server takes from a stranger, with the reason for each. */
export const webLimits = {
  /** Browsers send 1 to 2 KB, with cookies of neighbours on the same host a little more. */
  headerBytesMax: 8 * KB,
  /** Paths are short words and ids, queries a filter. */
  targetCharsMax: 2 * KB,
  /** Arguments of a command: the largest is a patch of the config. */
  bodyBytesMax: 64 * KB,
  /** A browser opens six, of which one is a stream; some tabs, a scraper, and a proxy that keeps its own open. */
  connectionsMax: 64,
  /** Each holds a connection for as long as a tab is open. */
  streamsMax: 16,
  /** Who reads slower than this fills up is let go; the browser connects again and starts with the newest. */
  streamBacklogBytesMax: 256 * KB,
  /** Below the shortest idle time of usual proxies (nginx: 60 s), so that none takes a quiet stream for dead. */
  streamBeatMs: 15_000,
  /** Headers of one request come in one packet, from anywhere on earth. */
  headersTimeoutMs: 5_000,
  /** A whole request of at most `bodyBytesMax`, at 6 KB/s. */
  requestTimeoutMs: 10_000,
  /** How often Node looks for requests that take too long. */
  timeoutsEveryMs: 1_000,
  /** Between two requests of one connection. */
  keepAliveMs: 5_000,
  /** Nothing came and nothing could be sent: the other side is gone, or does not read. Above `streamBeatMs`. */
  idleTimeoutMs: 45_000,
  /** Requests of one connection, so that none lives for ever; a stream is one of them. */
  requestsPerConnectionMax: 1_000,
  /** Pictures and lists that are made for all connections together; the next one is told to come later. */
  requestsAtOnceMax: 32,
  /** A port that is taken is tried again, at first after up to so long. */
  listenFirstMs: 1_000,
  listenMaxMs: 60_000,
  /** Wrong tokens of one address before more are told to wait; a person mistypes, and pastes the wrong one. */
  wrongTokensMax: 5,
  /** And then one more every so often. */
  wrongTokenEveryMs: 10_000,
  /** Addresses whose wrong tokens are remembered; when there are more, the oldest is forgotten. */
  addressesMax: 256,
  /** A token that can be found by trying is none. */
  tokenCharsMin: 16,
  /** A browser stays logged in. */
  cookieMaxAgeS: 30 * 24 * 60 * 60,
  allowedHostsMax: 16,
  /** A camera that is opened again, a model that is switched: over by then. */
  degradedAfterMs: 5 * 60_000,
  /** Of one file of the page, and of all of them: they are kept in memory. */
  staticFileBytesMax: 256 * KB,
  staticFilesMax: 32,
} as const;
