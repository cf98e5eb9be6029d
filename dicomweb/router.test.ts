import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../tiering/core/errors.js';
import { matchPath } from './router.js';

const match = (path: string) => matchPath(path, 8192);

describe('matchPath', () => {
  it.each([
    ['/dicomweb', 'root', undefined],
    ['/dicomweb/', 'root', undefined],
    ['/dicomweb/studies', 'search-studies', undefined],
    ['/dicomweb/studies/', 'search-studies', undefined],
    ['/dicomweb/series', 'search-series', undefined],
    ['/dicomweb/instances', 'search-instances', undefined],
    ['/dicomweb/studies/1.2', 'study', { study: '1.2' }],
    ['/dicomweb/studies/1.2/series', 'search-series', { study: '1.2' }],
    ['/dicomweb/studies/1.2/instances', 'search-instances', { study: '1.2' }],
    ['/dicomweb/studies/1.2/metadata', 'metadata', { study: '1.2' }],
    ['/dicomweb/studies/1.2/series/1.3', 'series', { study: '1.2', series: '1.3' }],
    ['/dicomweb/studies/1.2/series/1.3/metadata', 'metadata', { study: '1.2', series: '1.3' }],
    ['/dicomweb/studies/1.2/series/1.3/instances', 'search-instances', { study: '1.2', series: '1.3' }],
    ['/dicomweb/studies/1.2/series/1.3/instances/1.4', 'instance', { study: '1.2', series: '1.3', sop: '1.4' }],
    [
      '/dicomweb/studies/1.2/series/1.3/instances/1.4/metadata',
      'metadata',
      { study: '1.2', series: '1.3', sop: '1.4' },
    ],
    ['/dicomweb/studies/1.2/bulkdata', 'all-bulkdata', { study: '1.2' }],
    ['/dicomweb/studies/1.2/series/1.3/pixeldata', 'all-pixeldata', { study: '1.2', series: '1.3' }],
    ['/dicomweb/studies/1.2/thumbnail', 'thumbnail', { study: '1.2' }],
    ['/dicomweb/studies/1.2/rendered', 'rendered', { study: '1.2' }],
    ['/dicomweb/studies/1.2/series/1.3/rendered', 'rendered', { study: '1.2', series: '1.3' }],
    ['/wado', 'wado-uri', undefined],
    ['/dicomweb/studies/1.2/series/1.3/reject/113001%5EDCM', 'later', { study: '1.2', series: '1.3' }],
  ])('%s is %s', (path, resource, scope) => {
    const target = match(path);
    expect(target?.resource).toBe(resource);
    expect(target?.scope ?? undefined).toEqual(scope);
  });

  const instance = '/dicomweb/studies/1.2/series/1.3/instances/1.4';
  it.each([
    ['/frames/1,2', 'frames', '1,2'],
    ['/frames/1%2C2', 'frames', '1,2'],
    ['/rendered', 'rendered', ''],
    ['/frames/3,4/rendered', 'rendered', '3,4'],
    ['/rendered/3', 'rendered', '3'],
    ['/frames/3/thumbnail', 'thumbnail', '3'],
    ['/thumbnail/3', 'thumbnail', '3'],
    ['/bulkdata/54000100/0/54001010', 'bulkdata', '54000100/0/54001010'],
  ])('%s of an instance is %s', (tail, resource, rest) => {
    expect(match(instance + tail)).toMatchObject({ resource, rest });
  });

  it.each([
    '/dicomweb/patients',
    '/dicomweb/series/1.2',
    '/dicomweb/studies/1.2/frames/1',
    '/dicomweb/studies/1.2/instances/1.4',
    `${instance}/frames`,
    '/dicomweb/studies/1.2/bulkdata/7FE00010',
    `${instance}/pixeldata/1`,
    `${instance}/frames/1/2`,
    `${instance}/frames/1/rendered/2`,
    '/dicomweb/studies/1.2/rendered/1',
    '/wado/x',
    `${instance}/metadata/1`,
    '/dicomweb/studies/1.2/series/1.3/x',
  ])('%s is no resource', (path) => {
    expect(match(path)).toBeNull();
  });

  it('gives a target, nothing or INVALID for any path, and only UIDs that pass the grammar', () => {
    const segment = fc.oneof(
      fc.constantFrom(
        'studies',
        'series',
        'instances',
        'frames',
        'metadata',
        '1.2',
        '..',
        '.',
        '',
        '%2e',
        '%00',
        '1,2',
      ),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 10 }), (segments) => {
        try {
          const scope = match(`/dicomweb/${segments.join('/')}`)?.scope ?? {};
          for (const uid of Object.values(scope)) expect(uid).toMatch(/^[0-9.]{1,64}$/);
        } catch (error) {
          expect(hasCode(error, 'INVALID')).toBe(true);
        }
      }),
      { verbose: true },
    );
  });
});
