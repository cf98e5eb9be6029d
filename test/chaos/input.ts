// Faults that are one request, or one file: sent to the server as they are. What shows them is the answer; the next request must be served, and
// nothing of them may be left.
import { connect } from 'node:net';
import { search } from '../e2e/gateway-clients.js';
import type { Fault } from './fault.js';
import type { Site } from './site.js';
import type { Trial } from './trial.js';

export interface Input extends Pick<Fault, 'name' | 'number' | 'kind' | 'means' | 'expected'> {
  readonly stage?: Fault['stage'];
  readonly needs?: Fault['needs'];
  /** Sends it; resolves with what came back, in short. */
  send(site: Site): Promise<string>;
  /** What must come back. */
  readonly wants: RegExp;
}

export function input(one: Input): Fault {
  const { name, number, kind, means, expected, stage = 'plain', needs = [] } = one;
  const attempt = async (trial: Trial) => {
    const { site } = trial;
    const { pid } = site.gateway;
    const came = await one.send(site);
    await trial.detected(async () => came);
    trial.expect(one.wants.test(came), `came back: ${came}`);
    trial.mark();
    await trial.recovered(() => site.whole());
    trial.expect(site.gateway.pid === pid, 'the server is another process');
    await trial.lasts(0);
  };
  return { name, number, kind, means, expected, stage, needs, mayFail: 'nothing', alone: false, attempt };
}

/** Sends bytes over a connection of their own; resolves with all that comes until it is closed. */
export function exchange(site: Site, bytes: string | Uint8Array, hangUpAfterMs?: number): Promise<string> {
  const { port, hostname } = new URL(site.url);
  return new Promise((resolve) => {
    const came: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (data: Buffer) => came.push(data));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(came).toString('latin1')));
    if (hangUpAfterMs !== undefined) setTimeout(() => socket.destroy(), hangUpAfterMs);
  });
}

/** The request line and headers of a store. */
export function storeHead(site: Site, lines: readonly string[]): string {
  return `${['POST /dicomweb/studies HTTP/1.1', `Host: ${new URL(site.url).host}`, ...lines].join('\r\n')}\r\n\r\n`;
}

/** The status of a raw answer; `none` when nothing came. */
export function statusOf(answer: string): string {
  return /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'none';
}

/** The statuses that several requests are answered with, each once, in order. */
export async function statuses(requests: readonly (() => Promise<Response>)[]): Promise<string> {
  const seen = new Set<number>();
  for (const request of requests) {
    const answer = await request();
    await answer.arrayBuffer();
    seen.add(answer.status);
  }
  return [...seen].sort((a, b) => a - b).join(', ');
}

/** How many instances of a study are found; it is deleted then. */
export async function takeAway(site: Site, study: string): Promise<number> {
  const rows = await search(site.url, `instances?StudyInstanceUID=${study}&limit=5000`);
  if (rows.length > 0) {
    const answer = await fetch(`${site.url}/dicomweb/studies/${study}`, { method: 'DELETE' });
    await answer.arrayBuffer();
    if (answer.status !== 204 && answer.status !== 202) throw new Error(`delete answered ${answer.status}`);
  }
  return rows.length;
}
