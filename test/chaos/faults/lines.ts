// The line below HTTP: packets that vanish, resets, a pulled cable, certificates, names. One cloud has a network namespace of its own, one TLS, and
// one a name that only the server's own hosts file knows.
import type { Fault } from '../fault.js';
import { type Outage, outage } from '../outage.js';
import type { Lines, Site } from '../site.js';

const OTHERS = 'the other two serve, and why is said; what it is owed is paid when it is back';

type Rest = Pick<Outage, 'name' | 'number' | 'means'> & Partial<Outage>;

function line(at: number, one: Rest, make: (lines: Lines, site: Site) => () => unknown): Fault {
  const name = `r${at + 1}`;
  return outage({
    kind: 'link',
    stage: 'lines',
    needs: ['rgw', 'namespaces', 'openssl'],
    expected: OTHERS,
    inject: (site) => {
      if (site.parts.lines === null) throw new Error('the site has no lines');
      return make(site.parts.lines, site);
    },
    sign: (view) => {
      const replica = view.replicas.find((each) => each.name === name);
      if (replica?.state !== 'unavailable') return null;
      return `${name} unavailable`;
    },
    ...one,
  });
}

export const lineFaults: readonly Fault[] = [
  line(
    0,
    { name: 'Packets to one cloud vanish', number: 53, means: 'iptables DROP in its network namespace' },
    ({ net }) => {
      net.drop();
      return () => net.mend();
    },
  ),
  line(
    0,
    { name: 'Connections to one cloud are reset', number: 53, means: 'iptables REJECT with tcp-reset' },
    ({ net }) => {
      net.reset();
      return () => net.mend();
    },
  ),
  line(0, { name: 'The cable to one cloud is pulled', number: 53, means: 'network interface down' }, ({ net }) => {
    net.unplug();
    return () => net.mend();
  }),
  outage({
    name: 'A third of the packets to one cloud is lost',
    number: null,
    kind: 'link',
    means: 'iptables: 30 of 100 packets dropped',
    expected: 'slow but alive: the others are asked; nothing fails',
    stage: 'lines',
    needs: ['rgw', 'namespaces', 'openssl'],
    inject: ({ parts }) => {
      parts.lines?.net.lose(30);
      return () => parts.lines?.net.mend();
    },
    lastsMs: 5_000,
  }),
  line(
    1,
    { name: 'The certificate of one cloud expires', number: 53, means: 'TLS with a certificate that ended in 2025' },
    ({ tls }) => {
      tls.show('expired');
      return () => tls.show('good');
    },
  ),
  line(
    2,
    {
      name: 'The name of one cloud is not known any more',
      number: 53,
      means: 'its line leaves the server’s hosts file, connections are cut',
    },
    (lines, site) => {
      lines.know(false);
      void site
        .proxy(2)
        .misbehave({ name: 'down' })
        .then(() => site.proxy(2).behave());
      return () => lines.know(true);
    },
  ),
];
