// docs/reliability.md says of every fault of the library what it is and what is expected, and of no other.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LIBRARY } from './library.js';
import { fixedCells, rowsOf } from './table.js';

const DOCUMENT = readFileSync(new URL('../../../docs/reliability.md', import.meta.url), 'utf8');

describe('docs/reliability.md', () => {
  it('has a row for every fault of the library, and for no other (npm run chaos -- --table writes it)', () => {
    const rows = rowsOf(DOCUMENT);
    const said = [...rows.values()].map((cells) => cells.slice(0, 4));
    const wanted = LIBRARY.map(fixedCells);
    const byName = (a: readonly string[], b: readonly string[]) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1);
    expect([...said].sort(byName)).toEqual([...wanted].sort(byName));
  });

  it('says of each what was seen, and nothing that is not as expected', () => {
    for (const [name, cells] of rowsOf(DOCUMENT)) {
      expect(cells[4], name).not.toMatch(/not tried yet|not as expected/);
    }
  });

  it('has no fault twice', () => {
    expect(new Set(LIBRARY.map(({ name }) => name)).size).toBe(LIBRARY.length);
  });
});
