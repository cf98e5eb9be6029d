// Dates and times as queries compare them (PS3.4 C.2.2.2.5): every value and every key is an interval of
// fixed-width text, as wide as its precision, and intervals are compared as text.

/** An inclusive interval of comparable text. */
export interface Interval {
  readonly from: string;
  readonly to: string;
}

/** `YYYYMMDD` of a DA value, also of the form `YYYY.MM.DD` (PS3.5 6.2, older files); null for anything else. */
export function normalDate(text: string): string | null {
  const match = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(text.trim());
  return match === null ? null : `${match[1]}${match[2]}${match[3]}`;
}

/** The interval `HHMMSSFFFFFF` that a TM value of any precision stands for; null when it is none. */
export function timeInterval(text: string): Interval | null {
  const match = /^(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?$/.exec(text.trim());
  if (match === null) return null;
  const digits = `${match[1]}${match[2] ?? ''}${match[3] ?? ''}${match[4] ?? ''}`;
  return { from: digits.padEnd(12, '0'), to: digits + '235959999999'.slice(digits.length) };
}

function dateInterval(text: string): Interval | null {
  const date = normalDate(text);
  return date === null ? null : { from: date, to: date };
}

const DATE_TIME = /^(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.(\d{1,6}))?([+-](?:0\d|1[0-4])[0-5]\d)?$/;

/** The interval that a DT value stands for, in UTC when it states its offset and as it is written otherwise. */
function dateTimeInterval(text: string): Interval | null {
  const match = DATE_TIME.exec(text.trim());
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction, offset] = match;
  const low = `${year}${month ?? '01'}${day ?? '01'}${hour ?? '00'}${minute ?? '00'}${second ?? '00'}`;
  const lastDay = day ?? String(daysOf(Number(year), Number(month ?? '12')));
  const high = `${year}${month ?? '12'}${lastDay}${hour ?? '23'}${minute ?? '59'}${second ?? '59'}`;
  return {
    from: shiftToUtc(low, offset) + (fraction ?? '').padEnd(6, '0'),
    to: shiftToUtc(high, offset) + (fraction ?? '').padEnd(6, '9'),
  };
}

function daysOf(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** `stamp` is YYYYMMDDHHMMSS. */
function shiftToUtc(stamp: string, offset: string | undefined): string {
  if (offset === undefined) return stamp;
  const part = (from: number, to: number) => Number(stamp.slice(from, to));
  const minutes = (offset.startsWith('-') ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3, 5)));
  const ms = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12) - minutes, part(12, 14));
  return new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
}

/** What a value of VR DA, TM or DT stands for; null when it is none of that VR. */
export function valueInterval(vr: string, text: string): Interval | null {
  if (vr === 'DA') return dateInterval(text);
  if (vr === 'TM') return timeInterval(text);
  return dateTimeInterval(text);
}

const EARLIEST = '';
const LATEST = '~';

/**
 * What a query key of VR DA, TM or DT asks for: one value, `a-b`, `a-` or `-b` (both ends included). Null when it is not
 * of that form.
 */
export function keyInterval(vr: string, key: string): Interval | null {
  const text = key.trim();
  const single = valueInterval(vr, text);
  if (single !== null) return single;
  for (let at = text.indexOf('-'); at >= 0; at = text.indexOf('-', at + 1)) {
    const left = text.slice(0, at).trim();
    const right = text.slice(at + 1).trim();
    if (left === '' && right === '') return null;
    const from = left === '' ? null : valueInterval(vr, left);
    const to = right === '' ? null : valueInterval(vr, right);
    // The hyphen of an offset (-0500) is tried first and does not split into two values.
    if ((left === '' || from !== null) && (right === '' || to !== null)) {
      return { from: from?.from ?? EARLIEST, to: to?.to ?? LATEST };
    }
  }
  return null;
}

/** Whether two intervals have a moment in common. */
export function overlaps(a: Interval, b: Interval): boolean {
  return a.from <= b.to && b.from <= a.to;
}

/** The two ends of `a-b`, `a-` or `-b` of VR DA or TM, empty where open; null for a single value and anything else. */
export function rangeEnds(vr: 'DA' | 'TM', key: string): readonly [from: string, to: string] | null {
  const [from = '', to, ...more] = key.split('-').map((end) => end.trim());
  if (to === undefined || more.length > 0 || (from === '' && to === '')) return null;
  const known = [from, to].every((end) => end === '' || valueInterval(vr, end) !== null);
  return known ? [from, to] : null;
}

/**
 * Whether a date and a time, taken as one moment, lie in the moments from the beginnings to the ends of two ranges of the same
 * form (PS3.4 C.2.2.2.5: combined datetime matching). A value without a time is the whole of its day.
 */
export function dateTimeMatches(dates: string, times: string, date: string, time: string): boolean {
  const [fromDate, toDate] = rangeEnds('DA', dates) ?? ['', ''];
  const [fromTime, toTime] = rangeEnds('TM', times) ?? ['', ''];
  const day = normalDate(date);
  if (day === null) return false;
  const within = timeInterval(time) ?? { from: '', to: LATEST };
  const from = fromDate === '' ? EARLIEST : (normalDate(fromDate) ?? '') + (timeInterval(fromTime)?.from ?? '');
  const to = toDate === '' ? LATEST : (normalDate(toDate) ?? '') + (timeInterval(toTime)?.to ?? LATEST);
  return overlaps({ from: day + within.from, to: day + within.to }, { from, to });
}
