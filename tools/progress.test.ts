import { describe, expect, it } from 'vitest';
import type { Progress } from '../tiering/archive/archive.js';
import { createProgressLine, shareOf } from './progress.js';

const at = (step: string, bytesDone: number, bytesTotal = 100): Progress => ({
  step,
  packsDone: 1,
  packsTotal: 2,
  bytesDone,
  bytesTotal,
});

function recorder(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('a progress line on a terminal', () => {
  it('is redrawn in place, not more than ten times a second, and ends with the last state', () => {
    const stream = recorder(true);
    let now = 0;
    const line = createProgressLine(stream, 'migrate', () => now);
    for (let done = 0; done <= 100; done += 1) {
      line.update(at('seal', done));
      now += 10;
    }
    line.end();
    line.end();
    expect(stream.written.length).toBeLessThan(14);
    expect(stream.written.at(-1)).toBe('\n');
    expect(stream.written.at(-2)).toBe(`\rmigrate [${'#'.repeat(24)}] 100% seal: 1 of 2, 100 B of 100 B\x1b[K`);
  });

  it('never wraps', () => {
    const stream = recorder(true, 30);
    const line = createProgressLine(stream, 'migrate', () => 0);
    line.update(at('a step with a long name', 1));
    expect(stream.written[0]?.replace('\r', '').replace('\x1b[K', '').length).toBe(29);
  });

  it('writes nothing when there was no progress', () => {
    const stream = recorder(true);
    createProgressLine(stream, 'x', () => 0).end();
    expect(stream.written).toEqual([]);
  });
});

describe('a progress line elsewhere', () => {
  it('is a plain line for each step, and one in ten seconds', () => {
    const stream = recorder(false);
    let now = 0;
    const line = createProgressLine(stream, 'migrate', () => now);
    line.update(at('seal', 1));
    line.update(at('seal', 2));
    now = 10_000;
    line.update(at('seal', 3));
    line.update(at('verify', 3));
    line.end();
    expect(stream.written).toEqual([
      'migrate seal: 1 of 2, 1 B of 100 B\n',
      'migrate seal: 1 of 2, 3 B of 100 B\n',
      'migrate verify: 1 of 2, 3 B of 100 B\n',
    ]);
  });
});

describe('shareOf', () => {
  it('goes by bytes, else by packs, and stays within 0 and 1', () => {
    expect(shareOf(at('s', 50))).toBe(0.5);
    expect(shareOf(at('s', 0, 0))).toBe(0.5);
    expect(shareOf({ ...at('s', 0, 0), packsTotal: 0 })).toBe(0);
    expect(shareOf(at('s', 200))).toBe(1);
  });
});
