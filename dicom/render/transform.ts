// The grey transformations of PS3.3 C.11 as functions of one value: modality, then values of interest. Hand-computable; everything
// else only applies them to many pixels.
import type { Look, LookUpTable, Modality, Window } from './types.js';

export type Transform = (value: number) => number;

/** Where a window's ramp lies, as PS3.3 C.11.2.1.2 to C.11.2.1.3 write it, with an output of 0 to 1. */
export function windowed({ center, width, shape }: Window): Transform {
  if (shape === 'SIGMOID') return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width));
  if (shape === 'LINEAR_EXACT') {
    const low = center - width / 2;
    const high = center + width / 2;
    return (value) => (value <= low ? 0 : value > high ? 1 : (value - center) / width + 0.5);
  }
  const low = center - 0.5 - (width - 1) / 2;
  const high = center - 0.5 + (width - 1) / 2;
  return (value) => (value <= low ? 0 : value > high ? 1 : (value - (center - 0.5)) / (width - 1) + 0.5);
}

/** The entry for a stored value; beside the table its first or last (C.11.1.1.1). */
export function lookedUp({ first, entries }: LookUpTable): Transform {
  const last = entries.length - 1;
  return (value) => entries[Math.min(last, Math.max(0, Math.round(value) - first))] ?? 0;
}

export function modalityOf(modality: Modality): Transform {
  if (modality === null) return (value) => value;
  if ('entries' in modality) return lookedUp(modality);
  const { slope, intercept } = modality;
  return (value) => value * slope + intercept;
}

/** From modality values to 0..1. `least` and `greatest` are those of the frame, for an image that says nothing of its window. */
export function voiOf(voi: Look['voi'], least: number, greatest: number): Transform {
  if (voi === null) {
    const width = greatest - least;
    return width > 0 ? (value) => Math.min(1, Math.max(0, (value - least) / width)) : () => 0;
  }
  if ('center' in voi) return windowed(voi);
  const look = lookedUp(voi);
  const scale = 2 ** voi.bits - 1;
  return (value) => Math.min(1, look(value) / scale);
}
