// A server that was killed starts without its volume: what it does not find may be what that volume took in last. Over HTTP, as viewers and an
// operator see it.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomCt } from '../../dicom/phantom/phantom.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { retrieve, stow } from '../support/stow.js';

const [KNOWN, NEW] = [phantomCt({ seed: 31, index: 0 }), phantomCt({ seed: 31, index: 1 })];
const NOBODYS = '2.25.1';
const WAIT = { timeout: 30_000, interval: 200 };

let gateway: GatewayProcess;
beforeEach(async () => {
  gateway = await GatewayProcess.prepare({ hot: { volumes: [{ name: 'a', path: './hot' }] } });
});
afterEach(() => gateway.destroy());

const metadata = (study: string) => fetch(`${gateway.url}/dicomweb/studies/${study}/metadata`);
const search = () => fetch(`${gateway.url}/dicomweb/studies`);

it('answers 503 and not 404 until the volume is back, says that its lists are provisional, and stores on', async () => {
  await gateway.start();
  expect((await stow(gateway.url, [KNOWN.bytes])).stored).toEqual([KNOWN.sop]);
  expect((await metadata(NOBODYS)).status).toBe(404);
  expect((await search()).headers.get('warning')).toBeNull();
  await gateway.kill();
  await rename(join(gateway.dir, 'hot'), join(gateway.dir, 'away'));
  await gateway.start();
  const missing = await metadata(NOBODYS);
  expect([missing.status, Number(missing.headers.get('retry-after')) > 0]).toEqual([503, true]);
  expect(await missing.json()).toMatchObject({ detail: expect.stringContaining('volume a is away') as string });
  expect((await search()).headers.get('warning')).toMatch(/^299 \S+ "provisional: volume a is away/);
  const gone = await fetch(`${gateway.url}/dicomweb/studies/${NOBODYS}`, { method: 'DELETE' });
  expect(gone.status).toBe(503);
  expect((await stow(gateway.url, [NEW.bytes])).stored).toEqual([NEW.sop]);
  await rename(join(gateway.dir, 'away'), join(gateway.dir, 'hot'));
  await expect.poll(async () => (await metadata(NOBODYS)).status, WAIT).toBe(404);
  expect((await search()).headers.get('warning')).toBeNull();
  for (const one of [KNOWN, NEW]) expect(Buffer.compare(await retrieve(gateway.url, one), one.bytes)).toBe(0);
});
