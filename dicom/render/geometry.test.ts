import { describe, expect, it } from 'vitest';
import { annotationSvg } from './annotation.js';
import { geometryOf } from './geometry.js';

const viewport = (width: number, height: number, source: [number, number, number, number] | null = null) => ({
  width,
  height,
  source: source === null ? null : { x: source[0], y: source[1], width: source[2], height: source[3] },
});

describe('geometryOf (PS3.18 8.3.5.1.3)', () => {
  it('leaves an image as it is, and makes its pixels square', () => {
    expect(geometryOf(512, 400, 1, null)).toMatchObject({ outWidth: 512, outHeight: 400, flop: false, flip: false });
    expect(geometryOf(512, 400, 2, null)).toMatchObject({ outWidth: 512, outHeight: 800 });
    expect(geometryOf(512, 400, 0.5, null)).toMatchObject({ outWidth: 1024, outHeight: 400 });
  });

  it('fits it into the viewport with its own shape, smaller or larger', () => {
    expect(geometryOf(512, 256, 1, viewport(128, 128))).toMatchObject({ outWidth: 128, outHeight: 64 });
    expect(geometryOf(64, 64, 1, viewport(300, 200))).toMatchObject({ outWidth: 200, outHeight: 200 });
    expect(geometryOf(10_000, 1, 1, viewport(100, 100))).toMatchObject({ outWidth: 100, outHeight: 1 });
  });

  it('crops to the region, clipped at the edges, and flips for negative sizes', () => {
    expect(geometryOf(512, 512, 1, viewport(100, 100, [10, 20, 100, 50]))).toMatchObject({
      left: 10,
      top: 20,
      width: 100,
      height: 50,
      outWidth: 100,
      outHeight: 50,
    });
    expect(geometryOf(512, 512, 1, viewport(100, 100, [500, 0, -100, 512]))).toMatchObject({
      left: 500,
      width: 12,
      flop: true,
      flip: false,
    });
    expect(geometryOf(512, 512, 1, viewport(100, 100, [0, 511.5, 512, -0.1]))).toMatchObject({
      top: 511,
      height: 1,
      flip: true,
    });
    expect(() => geometryOf(512, 512, 1, viewport(100, 100, [512, 0, 10, 10]))).toThrow(/outside/);
  });
});

describe('annotationSvg', () => {
  it('escapes what it writes and leaves out what XML cannot hold', () => {
    const svg = annotationSvg(512, 512, { patient: ['<script>&"\u0000\u001b'], technique: [] }) ?? '';
    expect(svg).toContain('&lt;script&gt;&amp;&quot;');
    expect(svg).not.toMatch(/<script|\p{Cc}/u);
  });

  it('shrinks to the picture and cuts what still does not fit', () => {
    const size = (svg: string | null) => Number(/font-size="(\d+)"/.exec(svg ?? '')?.[1]);
    const lines = { patient: ['A very long name of a patient that goes on'], technique: ['CT'] };
    expect(size(annotationSvg(2000, 2000, lines))).toBeGreaterThan(size(annotationSvg(500, 500, lines)));
    expect(size(annotationSvg(64, 64, lines))).toBe(8);
    expect(annotationSvg(64, 64, lines)).toContain('\u2026');
    expect(annotationSvg(64, 64, { patient: [], technique: [] })).toBeNull();
  });
});
