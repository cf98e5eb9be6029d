// The index as the archive uses it: what is made durable goes by the authority, and a write that fails for the index's own sake closes the
// gate, so that arrivals are refused before their bytes are taken and movers rest, in place of failing one by one.
import { codeOf } from '../../core/errors.js';
import type { Index } from '../../index/index.js';
import type { Authority } from './authority.js';
import type { WriteGate } from './write-gate.js';

const WRITES: ReadonlySet<string> = new Set<keyof Index>([
  ...(['addPack', 'commitArrivals', 'bury', 'setTombstonePlacement', 'resealTombstone'] as const),
  ...(['removeTombstonePlacement', 'touch', 'file', 'adopt', 'closeTray', 'setHot', 'setSeal', 'rewrap'] as const),
  ...(['reseal', 'dropOldChunks', 'nameChunk', 'setManifest', 'setPlacement', 'removePlacement'] as const),
  ...(['dropPack', 'scour', 'addException', 'clearException', 'announceObjects', 'clearGarbage'] as const),
  ...(['setSetting', 'commitDurable'] as const),
]);

/** @param onClosed told the reason when a failed write closes the gate. */
export function guardIndex(
  index: Index,
  gate: WriteGate,
  authority: () => Authority,
  onClosed: (fault: string) => void,
): Index {
  const methods = new Map<PropertyKey, unknown>();
  const guarded = (name: PropertyKey): unknown => {
    const value: unknown = Reflect.get(index, name);
    if (typeof value !== 'function') return value;
    const own = value.bind(index) as (...args: unknown[]) => unknown;
    if (!WRITES.has(String(name))) return own;
    const call = name === 'commitDurable' ? () => authority().commitDurable() : own;
    return async (...args: unknown[]) => {
      if (gate.forGood) gate.mustBeOpen();
      try {
        return await call(...args);
      } catch (error) {
        const code = codeOf(error);
        if (code === 'FULL' || code === 'UNAVAILABLE' || code === 'CORRUPT') {
          const fault = `nothing is stored, moved or deleted now: ${(error as Error).message}`;
          if (gate.close(fault, code === 'CORRUPT')) onClosed(fault);
        }
        throw error;
      }
    };
  };
  return new Proxy(index, {
    get: (_, name) => {
      if (!methods.has(name)) methods.set(name, guarded(name));
      return methods.get(name);
    },
  });
}
