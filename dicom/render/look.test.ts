import { describe, expect, it } from 'vitest';
import type { DicomJson } from '../json/json-object.js';
import { lookOf } from './look.js';
import { expandSegments } from './look-up-table.js';

const us = (...Value: number[]) => ({ vr: 'US', Value });
const ds = (...Value: unknown[]) => ({ vr: 'DS', Value });
const cs = (...Value: string[]) => ({ vr: 'CS', Value });
const sq = (...Value: DicomJson[]) => ({ vr: 'SQ', Value });

const MONO16: DicomJson = { '00280004': cs('MONOCHROME2'), '00280100': us(16), '00280101': us(12), '00280103': us(0) };
const none = () => Promise.resolve(new Uint8Array(0));
const look = (json: DicomJson, frame = 1, fetch: (path: string) => Promise<Uint8Array> = none) =>
  lookOf(json, frame, fetch);

describe('lookOf', () => {
  it('reads rescale and the first window, numbers given as text too', async () => {
    const json = {
      ...MONO16,
      '00281052': ds('-1024'),
      '00281053': ds('1'),
      '00281050': ds('40', '600'),
      '00281051': ds(400, 2000),
    };
    expect(await look(json)).toMatchObject({
      modality: { slope: 1, intercept: -1024 },
      voi: { center: 40, width: 400, shape: 'LINEAR' },
    });
    expect(await look({ ...json, '00281056': cs('SIGMOID') })).toMatchObject({ voi: { shape: 'SIGMOID' } });
  });

  it('leaves out windows that are none, and shows images of 8 bits as they are', async () => {
    expect((await look({ ...MONO16, '00281050': ds(40), '00281051': ds(0) })).voi).toBeNull();
    const eight = { ...MONO16, '00280100': us(8), '00280101': us(8) };
    expect((await look(eight)).voi).toEqual({ center: 127.5, width: 255, shape: 'LINEAR_EXACT' });
    expect((await look({ ...eight, '00281053': ds(2), '00281052': ds(0) })).voi).toBeNull();
    expect((await look({ ...eight, '00280100': us(1), '00280101': us(1) })).voi).toEqual({
      center: 0.5,
      width: 1,
      shape: 'LINEAR_EXACT',
    });
  });

  it('takes what an enhanced image says of the frame before what it says of all', async () => {
    const voi = (center: number) => ({ '00289132': sq({ '00281050': ds(center), '00281051': ds(10) }) });
    const rescale = (intercept: number) => ({ '00289145': sq({ '00281052': ds(intercept), '00281053': ds(2) }) });
    const json = {
      ...MONO16,
      '52009229': sq({ ...voi(1), ...rescale(5), '00289110': sq({ '00280030': ds(2, 1) }) }),
      '52009230': sq({}, { ...voi(22), ...rescale(7) }),
    };
    expect(await look(json, 1)).toMatchObject({ voi: { center: 1 }, modality: { intercept: 5 }, aspect: 2 });
    expect(await look(json, 2)).toMatchObject({ voi: { center: 22 }, modality: { intercept: 7 } });
    expect(await look(json, 3)).toMatchObject({ voi: { center: 1 } });
  });

  it('reads tables: as numbers, as binary, fetched, of 2^16 entries, and with a first value that wrapped', async () => {
    const voi = (descriptor: number[], data: DicomJson[string]) => ({
      '00283010': sq({ '00283002': us(...descriptor), '00283006': data }),
    });
    expect((await look({ ...MONO16, ...voi([3, 5, 12], us(0, 7, 4095)) })).voi).toEqual({
      first: 5,
      bits: 12,
      entries: Uint16Array.of(0, 7, 4095),
    });
    const packed = { vr: 'OW', InlineBinary: Buffer.from([1, 2, 3, 0]).toString('base64') };
    expect((await look({ ...MONO16, ...voi([3, 0, 8], packed) })).voi).toMatchObject({
      entries: Uint16Array.of(1, 2, 3),
    });
    const asked: string[] = [];
    const bulk = { vr: 'OW', BulkDataURI: '/dicomweb/studies/1/series/2/instances/3/bulkdata/00283010/0/00283006' };
    const fetched = await look({ ...MONO16, ...voi([0, 0, 16], bulk) }, 1, (path) => {
      asked.push(path);
      return Promise.resolve(new Uint8Array(131_072).fill(1));
    });
    expect(asked).toEqual(['00283010/0/00283006']);
    expect(fetched.voi).toMatchObject({ first: 0, bits: 16, entries: { length: 65_536 } });
    const below = { ...MONO16, '00281052': ds(-1000), '00281053': ds(1), ...voi([2, 64_536, 8], us(0, 255)) };
    expect((await look(below)).voi).toMatchObject({ first: -1000 });
  });

  it('leaves out the table that leads an X-ray projection back to its beam', async () => {
    const table = { '00283000': sq({ '00283002': us(2, 0, 8), '00283006': us(9, 99) }) };
    expect((await look({ ...MONO16, ...table })).modality).toMatchObject({ entries: Uint16Array.of(9, 99) });
    expect((await look({ ...MONO16, ...table, '00281040': cs('LOG') })).modality).toBeNull();
  });

  it('falls back to the window where a table is broken', async () => {
    const json = {
      ...MONO16,
      '00283010': sq({ '00283002': us(9, 0, 8), '00283006': us(1) }),
      '00281050': ds(5),
      '00281051': ds(6),
    };
    expect((await look(json)).voi).toMatchObject({ center: 5 });
  });

  it('reads padding with the sign of the pixels, and the range', async () => {
    const signed = { ...MONO16, '00280103': us(1), '00280120': us(63_536) };
    expect((await look(signed)).padding).toEqual({ from: -2000, to: -2000 });
    expect((await look({ ...MONO16, '00280120': us(10), '00280121': us(4) })).padding).toEqual({ from: 4, to: 10 });
  });

  it('takes LINEAR of floats as LINEAR_EXACT', async () => {
    const json = {
      '00280004': cs('MONOCHROME2'),
      '7FE00008': { vr: 'OF', BulkDataURI: 'x' },
      '00281050': ds(0.5),
      '00281051': ds(1),
    };
    expect((await look(json)).voi).toEqual({ center: 0.5, width: 1, shape: 'LINEAR_EXACT' });
  });

  it('knows palettes: of 8 bits in 16, segmented, and none that is not whole', async () => {
    const palette = (bits: number, data: Partial<Record<string, DicomJson[string]>>) => ({
      '00280004': cs('PALETTE COLOR'),
      '00281101': us(4, 0, bits),
      '00281102': us(4, 0, bits),
      '00281103': us(4, 0, bits),
      ...data,
    });
    const flat = { '00281201': us(0, 1, 2, 255), '00281202': us(0, 0, 0, 0), '00281203': us(9, 9, 9, 9) };
    expect((await look(palette(16, flat))).palette?.map((lut) => lut.bits)).toEqual([8, 8, 8]);
    const segmented = { ...flat, '00281221': us(0, 1, 100, 1, 3, 400) };
    expect([...((await look(palette(16, segmented))).palette?.[0].entries ?? [])]).toEqual([100, 200, 300, 400]);
    expect((await look(palette(16, { '00281201': us(1, 2, 3, 4) }))).palette).toBeNull();
    expect((await look(palette(16, { ...flat, '00281221': us(7, 7) }))).palette).toBeNull();
  });
});

describe('segmented palettes (PS3.3 C.7.9.2)', () => {
  it('discrete, linear and indirect segments', () => {
    // Discrete of 2; linear of 4 up to 50; indirect: two segments from byte 0.
    const data = Uint16Array.of(0, 2, 1, 10, 1, 4, 50, 2, 2, 0, 0);
    expect([...expandSegments(data)]).toEqual([1, 10, 20, 30, 40, 50, 1, 10, 20, 30, 40, 50]);
  });

  it.each([
    ['ends inside of a segment', [0, 5, 1]],
    ['begins with a line', [1, 4, 50]],
    ['has a kind that is none', [9, 1, 1]],
    ['refers to itself', [2, 1, 0, 0]],
    ['grows without end', [0, 1, 7, 1, 65_535, 9, 1, 65_535, 9]],
  ])('refuses one that %s', (_, data) => {
    expect(() => expandSegments(Uint16Array.from(data))).toThrow(/segmented palette/);
  });
});
