// Every limit of the storage side, with its unit in its name and the reason for its number. What
// belongs to one protocol (multipart, QIDO) has a limits file of its own on that floor.

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** A pack is the unit of tiering: large enough that a study is few of them, small enough to redo. */
export const PACK_BYTES_MAX = 1 * GiB;
/** Bounds the member table of a pack, which is read whole. */
export const PACK_MEMBERS_MAX = 10_000;
/** A tray is rotated here so that the packer never waits long for one to close. */
export const TRAY_BYTES_MAX = 256 * MiB;
/** One chunk of a pack is one object. Per-request cost is small beside it, and a retry is cheap. */
export const CHUNK_BYTES = 8 * MiB;
/** Unit of authentication: a cold frame of 512 KiB reads at most 1/8 more than it needs. */
export const SEGMENT_BYTES = 64 * KiB;

/** An instance up to here is held in memory, parsed and hashed in a worker; a longer one streams to a pack of its own. */
export const INSTANCE_MEMORY_BYTES_MAX = 64 * MiB;
/** What the above falls to when the ingest budget is short. */
export const INSTANCE_MEMORY_BYTES_MIN = 1 * MiB;
/** All instances in flight of all requests: the memory ceiling of ingest. */
export const INGEST_BYTES_MAX = 128 * MiB;
/** ustar allows 8 GiB; pax `size=` goes on. One instance beyond 1 TiB is a mistake or an attack. */
export const INSTANCE_BYTES_MAX = 1024 * GiB;
/** One group commit takes what waits, up to here, so that latency stays bounded under load. */
export const COMMIT_BYTES_MAX = 16 * MiB;
/** A cloud-direct batch is whatever came within this time, or one chunk. */
export const CLOUD_DIRECT_WINDOW_MS = 100;

/** How often a location is looked up again when it turns out to be stale. */
export const RESOLVE_ATTEMPTS_MAX = 3;
/** Pieces in which long ranges are read: large enough to cost little per call, small enough to hold many. */
export const READ_PIECE_BYTES = 1 * MiB;

/** One tombstone names so many instances at most: about 140 kB, so that it is one small tray member and one small object. */
export const TOMBSTONE_ENTRIES_MAX = 1_000;

/** A sentence or two: the reason of a legal hold, in UTF-8. */
export const HOLD_REASON_BYTES_MAX = 1_024;

/** Placements must have been verified within this time when a hot copy is deleted for their sake. */
export const PROOF_AGE_MS_MAX = 30 * 24 * 3600 * 1000;

/** STOW is refused at this share of the volume (or two packs, whichever is more): deletes and recalls still work. */
export const VOLUME_RESERVE_SHARE = 0.02;
