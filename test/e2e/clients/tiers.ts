// A running gateway whose studies are all on its disk, or none of them: there, only the clouds have them, and no read brings one back.
import { GatewayProcess } from '../../support/gateway-process.js';
import { type Rgw, rgwInstalled, startRgw } from '../../support/rgw.js';
import { stow } from '../../support/stow.js';
import { makeReplicas, search } from '../gateway-clients.js';

export const TIERS = ['hot', 'cold'] as const;
export type Tier = (typeof TIERS)[number];

export interface TieredGateway {
  readonly url: string;
  close(): Promise<void>;
}

const DIRECTORIES = ['r1', 'r2'].map((name) => ({ name, url: `file:./${name}` }));

/** Starts it and stores the files; when cold, moves all of them to S3 (directories where there is no radosgw) and makes sure of it. */
export async function startTier(tier: Tier, files: readonly Uint8Array[]): Promise<TieredGateway> {
  const rgw: Rgw | null = tier === 'cold' && rgwInstalled() ? await startRgw({ sites: 2 }) : null;
  const gateway = await GatewayProcess.prepare({
    index: { url: 'sqlite:./index/filmroom.db' },
    hot: { volumes: [{ name: 'a', path: './hot' }] },
    cold: {
      keyring: './keyring.json',
      replicas: rgw === null ? DIRECTORIES : await makeReplicas(rgw, 'clients'),
    },
    tiering: { recall: 'never' },
  });
  const close = async () => {
    await gateway.destroy();
    await rgw?.close();
  };
  try {
    await gateway.start();
    const answer = await stow(gateway.url, files);
    // 202 is what instances with something odd are stored with.
    if (answer.stored.length !== files.length) throw new Error(`not all was stored: ${answer.text.slice(0, 500)}`);
    if (tier === 'cold') await goCold(gateway);
    return { url: gateway.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function goCold(gateway: GatewayProcess): Promise<void> {
  const job = await gateway.job('migrate', { all: true });
  if (job.state !== 'done') throw new Error(`nothing was migrated: ${JSON.stringify(job)}`);
  const rows = await search(gateway.url, 'instances?limit=5000');
  const online = rows.filter((row) => row['00080056']?.Value?.[0] !== 'NEARLINE');
  if (rows.length === 0 || online.length > 0) throw new Error(`${online.length} of ${rows.length} are still hot`);
}
