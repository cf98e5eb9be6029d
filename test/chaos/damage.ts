// Faults that lie in what is stored: objects of replicas and files of volumes that are not what they were. Readers must not notice, a
// deep scrub must name every one of them, and one repair must put back the bytes that were there.
import type { Fault } from './fault.js';
import type { Site } from './site.js';
import type { Trial } from './trial.js';

export interface Damage extends Pick<Fault, 'name' | 'number' | 'kind' | 'means' | 'expected'> {
  /** Does it; resolves with the names under which a scrub must find it: object keys, or parts of what it says. */
  harm(site: Site): Promise<readonly string[]> | readonly string[];
}

export function damage(one: Damage): Fault {
  const { name, number, kind, means, expected } = one;
  const attempt = async (trial: Trial) => {
    const { site } = trial;
    const items = await one.harm(site);
    trial.expect(items.length > 0, 'nothing was there to be harmed');
    await trial.detected(async () => {
      const { findings } = await site.scrub();
      const found = items.filter((item) => findings.some((finding) => finding.item.includes(item)));
      if (found.length < items.length) return null;
      const faults = [...new Set(findings.filter(({ fault }) => fault !== 'unknown').map(({ fault }) => fault))];
      return `${found.length} of ${items.length} found (${faults.join(', ')})`;
    });
    await trial.lasts(0);
    trial.mark();
    await trial.recovered(async () => {
      const { failures } = await site.repair();
      const { findings } = await site.scrub();
      return failures.length === 0 && findings.every(({ fault }) => fault === 'unknown');
    });
    trial.say('mended by one repair');
  };
  return { name, number, kind, means, expected, stage: 'plain', needs: [], mayFail: 'nothing', alone: false, attempt };
}
