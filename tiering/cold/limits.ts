// Every limit of the cold side, with its unit in its name and the reason for its number.
const KiB = 1024;
const MiB = 1024 * KiB;

/** Objects are passed whole: a chunk is 8 MiB, a large manifest a few times that. Anything longer is a mistake or an attack. */
export const OBJECT_BYTES_MAX = 64 * MiB;

/** Calls in flight on one directory: each holds one thread of libuv, and a hung mount must not take them all. */
export const DIRECTORY_CALLS_MAX = 8;
/** Callers that may wait for one of those while the directory makes progress. */
export const DIRECTORY_WAITERS_MAX = 256;
/** A disk array may spin up for 10 s; past this it is hung. */
export const DIRECTORY_CALL_MS = 30_000;
/** Names of one folder held in memory while it is listed (about 5 MB); a larger one is read in several passes. */
export const DIRECTORY_NAMES_MAX = 50_000;
/** Temporary files of a killed process are removed once nobody can still be writing them. */
export const DIRECTORY_STALE_TEMP_MS = 3_600_000;

/** Sockets to one endpoint; the replica guard admits fewer calls than that. */
export const S3_SOCKETS_MAX = 64;
/** A TCP and TLS handshake across a continent takes under a second. */
export const S3_CONNECT_MS = 5_000;
/** A connection on which nothing moves for this long is dead. */
export const S3_IDLE_MS = 15_000;
/** One attempt, before its bytes are counted. */
export const S3_ATTEMPT_MS = 20_000;
/** The slowest transfer that is still called one: added to the above by size. */
export const S3_BYTES_PER_SECOND_MIN = 64 * KiB;
/** First try and two more: what three tries with jitter do not mend is for the breaker and the other replicas. */
export const S3_ATTEMPTS_MAX = 3;
export const S3_BACKOFF_MS = 100;
export const S3_BACKOFF_MS_MAX = 2_000;
/** What S3 gives in one page at most. */
export const S3_LIST_PAGE_KEYS = 1_000;

/** Reads and writes of one replica have separate caps, so that movers never keep a reader waiting. */
export const REPLICA_READS_MAX = 32;
export const REPLICA_WRITES_MAX = 16;
/** Callers that may wait for one of those. */
export const REPLICA_WAITERS_MAX = 1_024;
/** A read is never hedged sooner: twice the work for nothing. */
export const HEDGE_MS_MIN = 50;
/** A replica with no history is hedged after this, and no history makes it later. */
export const HEDGE_MS_MAX = 5_000;
/** Stragglers of a quorum write are waited for at least this long. */
export const STRAGGLER_MS_MIN = 500;
/** And this long when nothing is known of how slow that replica is. */
export const STRAGGLER_MS_UNKNOWN = 10_000;
/** Failures in a row that open a breaker. */
export const BREAKER_FAILURES = 3;
/** How long it stays open at first, doubling up to the second number. */
export const BREAKER_OPEN_MS = 2_000;
export const BREAKER_OPEN_MS_MAX = 60_000;
/** A probe reads one small object. */
export const PROBE_MS = 5_000;
/** An "absent" counts when the replica's identity was seen this recently; else it is looked at again first. */
export const IDENTITY_AGE_MS_ABSENT = 2_000;
/** The same before a write: nothing is written to an empty mount point or a bucket made anew. */
export const IDENTITY_AGE_MS_WRITE = 10_000;
