// Listings that lie, made of true ones: what an S3 server that is behind, broken or another vendor's may answer to ListObjectsV2.

/**
 * `missing`: every second key is left out. `extra`: keys that do not exist. `stale`: always the first answer that was given.
 * `disorder`: backwards. `twice`: every key twice. `circle`: pages without end. `foreign`: names that are nobody's.
 */
export type Lie = 'missing' | 'extra' | 'stale' | 'disorder' | 'twice' | 'circle' | 'foreign' | 'empty';

const ENTRY = /<Contents>[\s\S]*?<\/Contents>/g;

/** The listing `xml` as `lie` would have it; `first` is the first answer that was given to the same question. */
export function lieAbout(lie: Lie, xml: Buffer, first: Buffer): Buffer {
  const text = xml.toString('utf8');
  const entries = text.match(ENTRY) ?? [];
  const head = text.replace(ENTRY, '').replace(/<\/ListBucketResult>\s*$/, '');
  const made = (list: readonly string[]) => Buffer.from(`${head}${list.join('')}</ListBucketResult>`);
  switch (lie) {
    case 'missing':
      return made(entries.filter((_, at) => at % 2 === 1));
    case 'extra':
      return made([...entries, ...phantomKeys(text)].sort((a, b) => (keyIn(a) < keyIn(b) ? -1 : 1)));
    case 'stale':
      return first;
    case 'disorder':
      return made([...entries].reverse());
    case 'twice':
      return made(entries.flatMap((entry) => [entry, entry]));
    case 'circle': {
      const endless = head
        .replace(/<IsTruncated>[^<]*<\/IsTruncated>/, '')
        .replace(/<NextContinuationToken>[^<]*<\/NextContinuationToken>/, '');
      const pages = '<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>';
      return Buffer.from(`${endless}${pages}${entries.join('')}</ListBucketResult>`);
    }
    case 'foreign':
      return made([...entries, entryOf('zz/%00/..%2F..%2Fetc%2Fpasswd'), entryOf('zz/%F0%9F%8E%9E'), entryOf('')]);
    case 'empty':
      return made([]);
  }
}

function keyIn(entry: string): string {
  return /<Key>([^<]*)<\/Key>/.exec(entry)?.[1] ?? '';
}

function entryOf(key: string): string {
  const rest = '<LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>&quot;0&quot;</ETag><Size>7</Size>';
  return `<Contents><Key>${key}</Key>${rest}<StorageClass>STANDARD</StorageClass></Contents>`;
}

/** Under the prefix that was asked for: a manifest, a tombstone and a chunk that nobody wrote. */
function phantomKeys(text: string): string[] {
  const prefix = decodeURIComponent(/<Prefix>([^<]*)<\/Prefix>/.exec(text)?.[1] ?? '');
  const keys = [
    'm/01900000-0000-7000-8000-000000000000/7-00000000',
    `t/999-${'0'.repeat(64)}`,
    `c/00/${'0'.repeat(64)}`,
  ];
  return keys.filter((key) => key.startsWith(prefix)).map((key) => entryOf(encodeURIComponent(key)));
}
