// Quantities as people write them in the configuration and on the command line: `60s`, `30d`, `85%`, `20MB/s`.
// A number without its unit is refused, so that nobody's seconds become milliseconds.
import { ArchiveError } from '../tiering/core/errors.js';

const DURATION = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d|y)$/;
const PERCENT = /^([0-9]{1,3}(?:\.[0-9]{1,2})?)%$/;
const RATE = /^([0-9]{1,6}(?:\.[0-9]{1,3})?)(kB|MB|GB)\/s$/;
const RATE_UNIT_BYTES = { kB: 1e3, MB: 1e6, GB: 1e9 } as const;
const DURATION_UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, y: 366 * 86_400_000 } as const;
/** A hundred years: anything longer is a slip of the keyboard. */
const DURATION_MS_MAX = 100 * DURATION_UNIT_MS.y;

/**
 * `500ms`, `60s`, `15m`, `2h`, `30d`, `10y` to whole milliseconds. A year has 366 days, so that so many years never end before those of the calendar.
 * INVALID for anything else.
 */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  const unit = match?.[2] as keyof typeof DURATION_UNIT_MS | undefined;
  if (match === null || unit === undefined) {
    throw new ArchiveError('INVALID', 'a duration is a number with its unit, such as 500ms, 60s, 15m, 2h, 30d or 10y');
  }
  const ms = Math.round(Number(match[1]) * DURATION_UNIT_MS[unit]);
  if (ms > DURATION_MS_MAX) throw new ArchiveError('INVALID', 'a duration is at most a hundred years');
  return ms;
}

/** `85%` to 0.85; from 0% to 100%. INVALID for anything else. */
export function parsePercent(text: string): number {
  const share = Number(PERCENT.exec(text)?.[1] ?? Number.NaN) / 100;
  if (!(share <= 1)) throw new ArchiveError('INVALID', 'a share is a percentage from 0% to 100%, such as 85%');
  return share;
}

/** `20MB/s` to bytes a second. INVALID for anything else, and for nothing at all. */
export function parseRate(text: string): number {
  const match = RATE.exec(text);
  const unit = match?.[2] as keyof typeof RATE_UNIT_BYTES | undefined;
  const bytes = unit === undefined ? 0 : Number(match?.[1]) * RATE_UNIT_BYTES[unit];
  if (!(bytes >= 1))
    throw new ArchiveError('INVALID', 'a rate is a number with its unit, such as 500kB/s, 20MB/s or 1GB/s');
  return bytes;
}
