// A parsed PS3.18 Annex F object, and plain ways to ask it for a value. What is absent, empty or of another kind reads as null:
// the objects come from what modalities wrote.

export interface JsonAttribute {
  readonly vr: string;
  readonly Value?: readonly unknown[];
  readonly InlineBinary?: string;
  readonly BulkDataURI?: string;
}

/** Attributes by tag, 8 upper-case hexadecimal digits. */
export type DicomJson = Readonly<Record<string, JsonAttribute | undefined>>;

/** The first value as a number; text that is one counts (IS and DS may be either, F.2.3). */
export function numberOf(json: DicomJson, tag: string): number | null {
  const value = json[tag]?.Value?.[0];
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** The first value as text. */
export function textOf(json: DicomJson, tag: string): string | null {
  const value = json[tag]?.Value?.[0];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}
