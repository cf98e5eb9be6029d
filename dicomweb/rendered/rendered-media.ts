// In which rendered media types (PS3.18 8.7.4) a resource can be had, and which of them a client gets.
import type { RenderedType } from '../../dicom/render/types.js';
import { covers, type MediaRange, wantedItem } from '../negotiation/accept.js';
import { HttpProblem } from '../problem.js';

/** The first is the default. */
export const IMAGE_TYPES: readonly RenderedType[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

export interface RenderedChoice<T extends string> {
  readonly type: T;
  readonly wrap: 'multipart' | 'single';
  /** By its own name, and not by a wildcard. */
  readonly named: boolean;
}

/** What can be had, as Accept values. */
export function availableTypes(types: readonly string[], wrap: 'single' | 'both' | 'multipart'): readonly string[] {
  const many = types.map((type) => `multipart/related; type="${type}"`);
  return wrap === 'single' ? types : wrap === 'both' ? [...types, ...many] : many;
}

/**
 * The best accepted range that covers one of `offered`. A single part is only given of one item, and is what a bare wildcard gets.
 * 406, listing what could be had.
 */
export function negotiateRendered<T extends string>(
  accept: readonly MediaRange[],
  offered: readonly T[],
  items: 'one' | 'many',
): RenderedChoice<T> {
  for (const range of accept) {
    const wanted = wantedItem(range);
    const name = wanted.type === 'image/jpg' ? 'image/jpeg' : wanted.type;
    const type = offered.find((each) => covers(name, each));
    if (type === undefined) continue;
    if (wanted.wrap === 'multipart') return { type, wrap: 'multipart', named: name === type };
    if (items === 'one') return { type, wrap: 'single', named: name === type };
    if (wanted.wrap === 'either') return { type, wrap: 'multipart', named: false };
  }
  const available = availableTypes(offered, items === 'one' ? 'both' : 'multipart');
  throw new HttpProblem(406, `this can be had as ${available.join(', ')}`, { available });
}
