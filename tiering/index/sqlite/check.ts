// Checks the index file itself: its pages, and that what is counted agrees with what is there.
import type { Database } from 'better-sqlite3';

const FINDINGS_MAX = 100;

/** Each row is one disagreement; the text says of what. */
const AGREEMENTS: readonly (readonly [string, string])[] = [
  [
    'instances without a series',
    'SELECT count(*) AS n FROM instances i WHERE NOT EXISTS (SELECT 1 FROM series e WHERE e.id = i.series)',
  ],
  [
    'instances without a pack',
    'SELECT count(*) AS n FROM instances i WHERE NOT EXISTS (SELECT 1 FROM packs p WHERE p.id = i.pack)',
  ],
  [
    'instances without metadata',
    `SELECT count(*) AS n FROM instances i WHERE CASE WHEN i.bundle IS NULL
       THEN NOT EXISTS (SELECT 1 FROM unbundled u WHERE u.id = i.id)
       ELSE NOT EXISTS (SELECT 1 FROM bundles b WHERE b.id = i.bundle AND b.pack = i.pack) END`,
  ],
  [
    'series whose count of instances is wrong',
    'SELECT count(*) AS n FROM series e WHERE e.instances <> (SELECT count(*) FROM instances i WHERE i.series = e.id)',
  ],
  [
    'packs whose count of instances is wrong',
    'SELECT count(*) AS n FROM packs p WHERE p.live_instances <> (SELECT count(*) FROM instances i WHERE i.pack = p.id)',
  ],
  [
    'studies whose count of series is wrong',
    'SELECT count(*) AS n FROM studies s WHERE s.series <> (SELECT count(*) FROM series e WHERE e.study = s.id)',
  ],
];

/** What is wrong with the file, for people; empty when it is sound. */
export function checkFile(db: Database): readonly string[] {
  try {
    // https://sqlite.org/pragma.html#pragma_quick_check: every page and row, without comparing indexes with tables.
    const rows = db.pragma(`quick_check(${FINDINGS_MAX})`) as readonly { readonly quick_check: string }[];
    const findings = rows.map((row) => row.quick_check).filter((text) => text !== 'ok');
    if (findings.length > 0) return findings;
    for (const [what, sql] of AGREEMENTS) {
      const found = db.prepare<[], { n: number }>(sql).get()?.n ?? 0;
      if (found > 0) findings.push(`${found} ${what}`);
    }
    return findings;
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return [(error as Error).message];
    throw error;
  }
}
