import { describe, expect, it } from 'vitest';
import { lookedUp, modalityOf, voiOf, windowed } from './transform.js';

describe('windows (PS3.3 C.11.2.1.2 and C.11.2.1.3)', () => {
  it('LINEAR: the examples of the standard for an output of 0 to 255', () => {
    // C.11.2.1.2.1: c=2048, w=4096 becomes if (x <= 0) 0, else if (x > 4095) 255, else ((x - 2047.5) / 4095 + 0.5) * 255.
    const wide = windowed({ center: 2048, width: 4096, shape: 'LINEAR' });
    expect(wide(0)).toBe(0);
    expect(wide(4096)).toBe(1);
    expect(wide(1) * 255).toBeCloseTo(((1 - 2047.5) / 4095 + 0.5) * 255, 9);
    expect(wide(4095)).toBeCloseTo(1, 12);
    // c=2048, w=1: if (x <= 2047.5) 0, else 255.
    const step = windowed({ center: 2048, width: 1, shape: 'LINEAR' });
    expect([step(2047), step(2047.5), step(2048)]).toEqual([0, 0, 1]);
    // c=0, w=100: if (x <= -50) 0, else if (x > 49) 255, else ((x + 0.5) / 99 + 0.5) * 255.
    const around = windowed({ center: 0, width: 100, shape: 'LINEAR' });
    expect([around(-50), around(50)]).toEqual([0, 1]);
    expect(around(0)).toBeCloseTo(0.5 / 99 + 0.5, 12);
    // c=0, w=1: if (x <= -0.5) 0, else 255.
    expect(windowed({ center: 0, width: 1, shape: 'LINEAR' })(0)).toBe(1);
  });

  it('LINEAR_EXACT: halves exactly at the center', () => {
    const exact = windowed({ center: 2048, width: 4096, shape: 'LINEAR_EXACT' });
    expect([exact(0), exact(2048), exact(4096), exact(4097)]).toEqual([0, 0.5, 1, 1]);
    expect(exact(1024)).toBe(0.25);
    const narrow = windowed({ center: 0.5, width: 0.5, shape: 'LINEAR_EXACT' });
    expect([narrow(0.25), narrow(0.375), narrow(0.75), narrow(0.8)]).toEqual([0, 0.25, 1, 1]);
  });

  it('SIGMOID: 1 / (1 + exp(-4 (x - c) / w))', () => {
    const curve = windowed({ center: 100, width: 50, shape: 'SIGMOID' });
    expect(curve(100)).toBe(0.5);
    expect(curve(125)).toBeCloseTo(1 / (1 + Math.exp(-2)), 12);
    expect(curve(-10_000)).toBeCloseTo(0, 12);
  });
});

describe('tables', () => {
  const lut = { first: -2, bits: 12, entries: Uint16Array.of(10, 20, 30, 4095) };

  it('take their first or last entry beside the table', () => {
    expect([-100, -2, -1, 0, 1, 2, 9].map(lookedUp(lut))).toEqual([10, 10, 20, 30, 4095, 4095, 4095]);
  });

  it('are a modality transformation, or a share of the range that their bits have', () => {
    expect(modalityOf(lut)(0)).toBe(30);
    expect(voiOf(lut, 0, 0)(0)).toBeCloseTo(30 / 4095, 12);
    expect(voiOf(lut, 0, 0)(7)).toBe(1);
  });

  it('slope and intercept', () => {
    expect(modalityOf({ slope: 2, intercept: -1024 })(512)).toBe(0);
    expect(modalityOf(null)(-7)).toBe(-7);
  });

  it('no window: from the least to the greatest, and black where they are the same', () => {
    expect([100, 150, 200, 250].map(voiOf(null, 100, 200))).toEqual([0, 0.5, 1, 1]);
    expect(voiOf(null, 5, 5)(5)).toBe(0);
  });
});
