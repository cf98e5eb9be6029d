// Reading JSON that came from outside: each function states what it wants and throws CORRUPT (or the
// code the caller names) with the field's name when it gets something else. Values are never echoed.
import { ArchiveError, type ErrorCode } from '../core/errors.js';

export type JsonRecord = ReadonlyMap<string, unknown>;

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The fields of an object that was parsed from JSON. A Map, so that no key can be a prototype's name. */
export function recordOf(value: unknown, what: string, code: ErrorCode = 'CORRUPT'): JsonRecord {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ArchiveError(code, `${what}: not a JSON object`);
  }
  return new Map(Object.entries(value));
}

/** The fields of a JSON object of at most `bytesMax` bytes of UTF-8. */
export function jsonRecord(bytes: Uint8Array, what: string, bytesMax: number, code: ErrorCode = 'CORRUPT'): JsonRecord {
  if (bytes.length > bytesMax) throw new ArchiveError(code, `${what}: longer than ${bytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // Without the cause: its message quotes the text, which may be a key.
    throw new ArchiveError(code, `${what}: not JSON`);
  }
  return recordOf(value, what, code);
}

export function integerField(
  fields: JsonRecord,
  name: string,
  what: string,
  min: number,
  code: ErrorCode = 'CORRUPT',
): number {
  const value = fields.get(name);
  if (!isInteger(value, min)) throw new ArchiveError(code, `${what}: ${name} is not an integer of at least ${min}`);
  return value;
}

export function textField(
  fields: JsonRecord,
  name: string,
  what: string,
  pattern: RegExp,
  code: ErrorCode = 'CORRUPT',
): string {
  const value = fields.get(name);
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw new ArchiveError(code, `${what}: ${name} is missing or not of its form`);
  }
  return value;
}

export function arrayField(
  fields: JsonRecord,
  name: string,
  what: string,
  itemsMax: number,
  code: ErrorCode = 'CORRUPT',
): readonly unknown[] {
  const value = fields.get(name);
  if (!Array.isArray(value)) throw new ArchiveError(code, `${what}: ${name} is not an array`);
  if (value.length > itemsMax) throw new ArchiveError(code, `${what}: ${name} has more than ${itemsMax} items`);
  return value;
}

/** Whether it is an integer that a double holds exactly, of at least `min`. */
export function isInteger(value: unknown, min: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min;
}
