// What waits for a group commit: an instance with its bytes, the birth of a pack that was written at once, or a
// delete. Types and the tar pieces that each becomes.
import type { ParsedInstance } from '../../../dicom/instance.js';
import type { Sha256 } from '../../core/ids.js';
import { type PackId, parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';
import { memberBytes, memberHeader, memberPadding } from '../../format/tar.js';
import { type Note, noteMember, noteMemberBytes } from '../../format/tar-notes.js';
import type { AdoptedPack, ArrivedInstance, TombstoneRecord } from '../../index/index.js';
import { noteOfRecord } from '../removal/make-record.js';

/** An instance parsed and hashed: everything but where it will lie and when it came. */
export interface InstanceContent {
  readonly parsed: Omit<ParsedInstance, 'json' | 'layout'>;
  readonly metadata: Uint8Array;
  readonly layout: string;
  readonly sha256: Sha256;
}

/** The earlier arrival of equal bytes that ends as these are stored; null: there is none. */
export type Ends = TombstoneRecord | null;

export type Draft =
  | {
      readonly kind: 'instance';
      readonly content: InstanceContent;
      readonly bytes: Uint8Array;
      readonly ends: Ends;
    }
  | { readonly kind: 'birth'; readonly adopted: AdoptedPack; readonly headersSha256: Sha256; readonly ends: Ends }
  /** Or what is said of a hold. Has its seq already. */
  | { readonly kind: 'delete'; readonly record: TombstoneRecord };

/** A draft in the queue. Its seq is given once and kept through retries. */
export interface Pending {
  readonly draft: Draft;
  readonly seq: number;
  readonly arrivedMs: number;
  readonly bytes: number;
  attempts: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Bytes that a draft adds to a tray. */
export function draftBytes(draft: Draft): number {
  const own = draft.kind === 'instance' ? memberBytes(draft.bytes.length) : noteMemberBytes(noteOf(draft));
  return endsOf(draft).reduce((sum, ends) => sum + noteMemberBytes(noteOfRecord(ends)), own);
}

/** What ends as the draft is stored, beside what a delete says. */
export function endsOf(draft: Draft): readonly TombstoneRecord[] {
  return draft.kind === 'delete' || draft.ends === null ? [] : [draft.ends];
}

/** The tar pieces of any draft in the tray `tray`. What ends comes last: torn, a batch must not end what it did not bring again. */
export function draftPieces(tray: PackId, pending: Pending): readonly Uint8Array[] {
  const { draft, arrivedMs } = pending;
  const note = (said: Note) => noteMember({ pack: tray, note: said, arrivedMs });
  const own = draft.kind === 'instance' ? memberPieces(tray, pending, draft) : [note(noteOf(draft))];
  return [...own, ...endsOf(draft).map((ends) => note(noteOfRecord(ends)))];
}

/** The small member that tells of a pack written beside the tray, or of a delete. */
function noteOf(draft: Exclude<Draft, { kind: 'instance' }>): Note {
  if (draft.kind === 'delete') return noteOfRecord(draft.record);
  const { id, bytes } = draft.adopted.pack;
  return { note: 'pointer', pack: id, bytes, headersSha256: draft.headersSha256 };
}

/** The tar pieces of an instance in `pack`: header, its bytes (not copied), padding. */
function memberPieces(pack: PackId, pending: Pending, draft: Draft & { kind: 'instance' }): readonly Uint8Array[] {
  const { parsed, sha256 } = draft.content;
  const header = memberHeader({
    pack,
    study: parseStudyUid(parsed.studyUid),
    series: parseSeriesUid(parsed.seriesUid),
    sop: parseSopUid(parsed.sopUid),
    bytes: draft.bytes.length,
    sha256,
    seq: pending.seq,
    arrivedMs: pending.arrivedMs,
  });
  const padding = memberPadding(draft.bytes.length);
  return padding === 0 ? [header, draft.bytes] : [header, draft.bytes, Buffer.alloc(padding)];
}

/** The index row of an instance whose bytes are at `[start, start + length)` of `pack`. */
export function arrivedInstance(
  content: InstanceContent,
  at: { pack: ArrivedInstance['pack']; start: number; length: number; seq: number; arrivedMs: number },
): ArrivedInstance {
  const { parsed } = content;
  return {
    study: parseStudyUid(parsed.studyUid),
    series: parseSeriesUid(parsed.seriesUid),
    sop: parseSopUid(parsed.sopUid),
    sopClass: parsed.sopClassUid,
    transferSyntax: parsed.transferSyntaxUid,
    instanceNumber: parsed.instanceNumber,
    seriesNumber: parsed.seriesNumber,
    seq: at.seq,
    arrivedMs: at.arrivedMs,
    pack: at.pack,
    start: at.start,
    end: at.start + at.length,
    sha256: content.sha256,
    attributes: parsed.attributes,
    metadata: content.metadata,
    layout: content.layout,
  };
}
