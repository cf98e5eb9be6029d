// Every limit of DICOM parsing, with its unit in its name and the reason for its number. Beyond any of
// them parsing stops with fault LIMIT; none of them depends on what a length field of the file claims.

const KiB = 1024;
const MiB = 1024 * KiB;

/** The scanner keeps its own stack, so depth costs memory only; real files stay below 20. */
export const SEQUENCE_DEPTH_MAX = 4096;
/** A sparse whole-slide level of 150,000 tiles has about 12 elements a tile. Two million empty ones take about half a second. */
export const ELEMENTS_MAX = 2_000_000;
/** Fragments of one encapsulated value, offset table entries, and native frames: a whole slide of 256-pixel tiles has 500,000. */
export const FRAGMENTS_MAX = 1_000_000;
/** Everything but bulk values. A 10,000-frame enhanced object has about 20 MiB of functional groups. */
export const HEADER_BYTES_MAX = 64 * MiB;
/** One text value that must be inline (PS3.18 allows no bulk data for LO, PN, UI and others), before escaping. */
export const INLINE_TEXT_BYTES_MAX = 16 * MiB;
/** File meta information beside its private part is under 1 KiB. */
export const FILE_META_BYTES_MAX = 1 * MiB;
/** A JSON text of one instance; escapes can make a header six times as long as it was. */
export const JSON_BYTES_MAX = 128 * MiB;
/** A deflated data set in memory, enforced by zlib's own output bound. */
export const INFLATED_BYTES_MAX = 256 * MiB;
/** Up to here a data set may grow by whatever deflate can give (1,032 times): an empty picture does. */
export const INFLATED_FREELY_BYTES_MAX = 64 * MiB;
/** Beyond that by this factor: pictures grow 2 to 20 times, and 261 kB that ask for 256 MiB are an attack on memory. */
export const INFLATED_GROWTH_MAX = 100;
/** A binary value up to here is inlined (base64); longer ones get a BulkDataURI. */
export const INLINE_BINARY_BYTES_MAX = 1 * KiB;
/** Numbers and long texts up to here are inlined where PS3.18 leaves a choice: LUTs of functional groups stay readable. */
export const INLINE_VALUE_BYTES_MAX = 64 * KiB;
/** Bulk values below this depth are inlined instead, so that no URI is longer than about 1 KiB. */
export const BULK_DEPTH_MAX = 64;
/** Bulk values of one instance: each is an entry of the stored layout. */
export const BULK_VALUES_MAX = 100_000;
/** Warnings kept of one instance; further ones say nothing new. */
export const WARNINGS_MAX = 32;
/** Zero bytes after the last element: files padded to a tape or sector block. */
export const TRAILING_ZERO_BYTES_MAX = 64 * KiB;

/** What is read of a file at once while walking a header. */
export const HEADER_PAGE_BYTES = 64 * KiB;
/** What is read at each fragment's item header when fragments lie far apart. */
export const FRAGMENT_PAGE_BYTES = 512;
