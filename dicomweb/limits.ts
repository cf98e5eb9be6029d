// Every limit of the DICOMweb surface, with its unit in its name and the reason for its number.

const KiB = 1024;
const MiB = 1024 * KiB;

export interface DicomwebLimits {
  readonly pathBytesMax: number;
  readonly queryBytesMax: number;
  readonly queryParametersMax: number;
  readonly includeFieldsMax: number;
  readonly matchValueCharactersMax: number;
  readonly matchValuesMax: number;
  readonly queryRowsDefault: number;
  readonly queryRowsMax: number;
  readonly queryOffsetMax: number;
  readonly acceptRangesMax: number;
  readonly framesPerRequestMax: number;
  readonly partsMax: number;
  readonly partHeaderBytesMax: number;
  readonly partHeadersMax: number;
  readonly preambleBytesMax: number;
  readonly epilogueBytesMax: number;
  readonly bodyGraceMs: number;
  readonly bodyBytesPerSecondMin: number;
  readonly metadataBytesMax: number;
  readonly storeHeldBytesMax: number;
  readonly bulkHeldBytesMax: number;
  readonly lingerMs: number;
  readonly sendStallMs: number;
  readonly heldInstancesMax: number;
  readonly retryAfterSeconds: number;
  readonly pixelBytesMax: number;
  readonly transcodesMax: number;
  readonly framesAhead: number;
  readonly frameAheadBytesMax: number;
  readonly renderedImagesMax: number;
  readonly animatedFramesMax: number;
  readonly animatedPixelsMax: number;
}

export const DEFAULT_LIMITS: DicomwebLimits = {
  /** Three UIDs of 64 and a nested bulk data path are under 1 KiB; a frame list may be long. */
  pathBytesMax: 8 * KiB,
  /** 64 UIDs in a list are 4 KiB; node itself stops at 16 KiB of request head. */
  queryBytesMax: 12 * KiB,
  queryParametersMax: 100,
  /** Each included attribute beyond the default set is picked from the full metadata. */
  includeFieldsMax: 256,
  /** The longest VR that is matched by value (LO, PN) is 64 characters a group; a list of UIDs is split first. */
  matchValueCharactersMax: 1024,
  matchValuesMax: 1000,
  /** What a client without `limit` gets of the whole archive; more exists and the Warning header says so. */
  queryRowsDefault: 1000,
  /** What `limit` is clamped to, and the default inside of one study: viewers do not page there. */
  queryRowsMax: 10_000,
  queryOffsetMax: 2 ** 31,
  acceptRangesMax: 64,
  /** A viewer asks for one to a few; each costs a part header in memory. */
  framesPerRequestMax: 2000,
  /** The largest studies sent at once are some 10,000 instances. */
  partsMax: 50_000,
  /** Part headers are three lines of under 200 bytes. */
  partHeaderBytesMax: 16 * KiB,
  partHeadersMax: 32,
  /** RFC 2046 allows text before the first boundary and after the last; no client sends more than a CRLF. */
  preambleBytesMax: 64 * KiB,
  epilogueBytesMax: 64 * KiB,
  /** A sender may stall this long in all before its rate counts: a modality behind a slow link does. */
  bodyGraceMs: 30_000,
  /** Below this a body is an attack or a dead link: 1 GiB would take 12 days. */
  bodyBytesPerSecondMin: 1024,
  /** JSON or XML of one instance that is stored: a multi-frame object of 10,000 frames has about 10 MiB. */
  metadataBytesMax: 16 * MiB,
  /** Metadata and bulk values of one request that wait for the rest of their instances. 2,000 CT images wait with 8 MiB. */
  storeHeldBytesMax: 64 * MiB,
  /** A bulk value is held up to here; what is longer goes straight through where it can. */
  bulkHeldBytesMax: 4 * MiB,
  /** How long an early answer waits for a sender that is still writing, so that a reset does not eat the answer. */
  lingerMs: 1000,
  /** A receiver that takes nothing for this long is gone. */
  sendStallMs: 120_000,
  /** Records of one answer kept between its two passes; beyond it they are read twice and the length is not announced. */
  heldInstancesMax: 20_000,
  retryAfterSeconds: 5,
  /** Frames of all requests that are being read, transcoded or sent: the memory ceiling of transcoding. Who comes later waits. */
  pixelBytesMax: 256 * 1024 * KiB,
  /** Frames at the codecs at a time, of all requests: they refuse above 256, and a frame in the middle of an answer must not be. */
  transcodesMax: 64,
  /** Frames of one request that are read and transcoded while one is sent: enough to keep two threads busy. */
  framesAhead: 2,
  /** Of one that is; larger ones are transcoded when their turn comes, since each would be held for as long as the client takes. */
  frameAheadBytesMax: 8 * 1024 * KiB,
  /** Images of one rendered answer: a CT study of 2,000 slices still comes, a whole archive does not. */
  renderedImagesMax: 5000,
  /** An animation is made whole before it is sent: of at most so many frames, and pixels in all of them (512 x 512 x 128). */
  animatedFramesMax: 500,
  animatedPixelsMax: 32 * 1024 * KiB,
};
