// The line to the clouds: cut, slow, flapping; below HTTP too, in a network namespace of its own.
import type { Fault } from '../fault.js';
import { type Outage, outage } from '../outage.js';

const link = (one: Omit<Outage, 'kind' | 'stage' | 'needs'> & Partial<Outage>): Fault =>
  outage({ kind: 'link', stage: 'clouds', needs: ['rgw'], ...one });

export const linkFaults: readonly Fault[] = [
  link({
    name: 'The line to one cloud flaps',
    number: null,
    means: 'proxy: nothing listens for 1 s of every 2 s',
    expected: 'the others serve; not asked again until it holds',
    inject: ({ parts }) => {
      const proxy = parts.proxies[0];
      let up = true;
      let last: Promise<unknown> = Promise.resolve();
      const toggle = setInterval(() => {
        up = !up;
        last = last.then(() => (up ? proxy?.behave() : proxy?.misbehave({ name: 'down' })));
      }, 1_000);
      return async () => {
        clearInterval(toggle);
        await last;
        await proxy?.behave();
      };
    },
    lastsMs: 8_000,
  }),
  link({
    name: 'The line to all clouds is thin',
    number: null,
    means: 'proxies: 100 kB/s for each answer',
    expected: 'slower, nothing fails',
    inject: async ({ parts }) => {
      for (const proxy of parts.proxies) await proxy.misbehave({ name: 'bandwidth', bytesPerSecond: 100_000 });
      return async () => {
        for (const proxy of parts.proxies) await proxy.behave();
      };
    },
    lastsMs: 3_000,
  }),
  link({
    name: 'Every tenth connection is cut',
    number: 53,
    means: 'proxies: cut after 500 bytes of the answer',
    expected: 'gone on with at the byte where it was cut; nothing fails',
    inject: async ({ parts }) => {
      for (const proxy of parts.proxies) {
        await proxy.misbehave({ name: 'cut-answer', afterBytes: 500 }, { methods: ['GET'], share: 0.1 });
      }
      return async () => {
        for (const proxy of parts.proxies) await proxy.behave();
      };
    },
    lastsMs: 3_000,
  }),
];
