// Faults that last: something goes away, stays away under load, and comes back. What shows it is the status that operators see.
import type { StatusView } from '../../gateway/admin/status.js';
import type { Allowed, Fault } from './fault.js';
import type { Site } from './site.js';
import type { Trial } from './trial.js';

type Undo = () => unknown;

export interface Outage extends Pick<Fault, 'name' | 'number' | 'kind' | 'means' | 'expected' | 'stage' | 'needs'> {
  readonly mayFail?: Allowed;
  readonly alone?: boolean;
  /** Makes it; what it resolves with undoes it. */
  inject(site: Site): Promise<Undo> | Undo;
  /** What shows it in the status, or null while nothing does. Absent: nothing need show, nobody notices. */
  readonly sign?: (view: StatusView, site: Site) => string | null;
  /** What must hold while it lasts; it may say what it saw. */
  readonly meanwhile?: (trial: Trial) => Promise<void>;
  /** How long it lasts at least, once it shows. */
  readonly lastsMs?: number;
  /** When all is well again, where that is more than a whole status. */
  readonly well?: (site: Site) => Promise<boolean>;
}

export function outage(one: Outage): Fault {
  const { sign, meanwhile, well } = one;
  const { name, number, kind, means, expected, stage, needs } = one;
  const attempt = async (trial: Trial) => {
    const { site } = trial;
    const undo = await one.inject(site);
    try {
      if (sign !== undefined) {
        await trial.detected(async () => {
          const view = await site.view();
          return view === null ? null : sign(view, site);
        });
      }
      await trial.lasts(one.lastsMs);
      await meanwhile?.(trial);
      if (sign === undefined) trial.say((await site.unwell()) ?? 'all was well meanwhile');
    } finally {
      await undo();
      trial.mark();
    }
    const whole = async () => ((await well?.(site)) ?? true) && (await site.whole());
    if (sign === undefined) await trial.waits(whole);
    else await trial.recovered(whole);
    if (kind === 'disk') {
      await site.settleVolumes();
      await trial.waits(whole);
    }
    // Whoever asks next is served as ever.
    await trial.lasts(0);
  };
  const { mayFail = 'nothing', alone = false } = one;
  return { name, number, kind, means, expected, stage, needs, mayFail, alone, attempt };
}

/** The volume is not healthy, and where arrivals go meanwhile. */
export function volumeSign(view: StatusView): string | null {
  const volume = view.volumes.find(({ state }) => state !== 'healthy' && state !== 'slow');
  if (volume === undefined || view.ingest === 'volume') return null;
  return `volume ${volume.state}, arrivals ${view.ingest}`;
}

/** Which replicas do not answer. */
export function replicaSign(view: StatusView): string | null {
  const away = view.replicas.filter(({ state }) => state !== 'available').map(({ name }) => name);
  return away.length === 0 ? null : `${away.join(', ')} unavailable`;
}
