// Where the clients of other people are: the npm packages of test/viewers (installed there by .ci/run, not by `npm ci`), and what Debian
// brings. A null, with which a suite skips itself by name, where one is not on this machine. Their types are the few calls that are used.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { REPOSITORY_ROOT } from '../../support/dicom-pack.js';

const VIEWERS = join(REPOSITORY_ROOT, 'test', 'viewers');
const require = createRequire(join(VIEWERS, 'package.json'));

function find(name: string): string | null {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}

function load(name: string): unknown {
  const path = find(name);
  return path === null ? null : (require(path) as unknown);
}

/** Screenshots and whatever else a run leaves to be looked at. Not in git. */
export function artefact(name: string): string {
  const folder = join(REPOSITORY_ROOT, 'test', 'artefacts');
  mkdirSync(folder, { recursive: true });
  return join(folder, name);
}

/** What the methods of dicomweb-client (JS) take and give, as far as all of them are alike. */
type ClientMethod = (argument?: unknown) => Promise<unknown>;

export interface DicomwebClientClass {
  readonly prototype: object;
  new (options: {
    readonly url: string;
    readonly qidoURLPrefix?: string;
    readonly wadoURLPrefix?: string;
    readonly stowURLPrefix?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly singlepart?: boolean | string;
    readonly verbose?: boolean;
  }): Readonly<Record<string, ClientMethod>>;
}

/** The class, in a process where XMLHttpRequest is xhr2's; null where test/viewers is not installed. */
export function dicomwebClient(): DicomwebClientClass | null {
  const found = load('dicomweb-client') as { readonly api: { readonly DICOMwebClient: DicomwebClientClass } } | null;
  const shim = load('xhr2');
  if (found === null || shim === null) return null;
  Object.assign(globalThis, { XMLHttpRequest: shim });
  return found.api.DICOMwebClient;
}

export interface Locator {
  click(options?: { readonly timeout?: number }): Promise<void>;
  fill(text: string): Promise<void>;
  hover(): Promise<void>;
  first(): Locator;
  filter(options: { readonly hasText: string }): Locator;
  allInnerTexts(): Promise<string[]>;
}

export interface Page {
  goto(url: string): Promise<unknown>;
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(
    event: 'requestfailed',
    listener: (request: { url(): string; failure(): { readonly errorText: string } | null }) => void,
  ): void;
  on(event: 'response', listener: (response: { status(): number; url(): string }) => void): void;
  locator(selector: string): Locator;
  getByRole(role: string, options: { readonly name: string; readonly exact?: boolean }): Locator;
  evaluate<T>(script: string): Promise<T>;
  waitForFunction(script: string): Promise<unknown>;
  screenshot(options: { readonly path: string }): Promise<unknown>;
  setDefaultTimeout(ms: number): void;
  readonly mouse: { wheel(x: number, y: number): Promise<void> };
}

export interface Browser {
  newContext(options: { readonly viewport: { readonly width: number; readonly height: number } }): Promise<{
    addInitScript(script: string): Promise<void>;
    newPage(): Promise<Page>;
    close(): Promise<void>;
  }>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: {
    launch(options: { readonly executablePath: string; readonly args: readonly string[] }): Promise<Browser>;
  };
}

/** SwiftShader draws what a graphics card would; nothing calls home. */
const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
];
const CHROMIUM = '/usr/bin/chromium';

/** Starts Debian's Chromium without a window; null where it or playwright-core is not installed. */
export function chromium(): (() => Promise<Browser>) | null {
  if (!existsSync(CHROMIUM) || find('playwright-core') === null) return null;
  return () => (load('playwright-core') as Playwright).chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** The folder of the built OHIF viewer, or null. */
export function ohifDist(): string | null {
  const manifest = join(VIEWERS, 'node_modules', '@ohif', 'app', 'package.json');
  return existsSync(manifest) ? join(dirname(manifest), 'dist') : null;
}

/** Debian's Python, where it has pydicom and NumPy; not the `python3` of a version manager, which has neither. */
export function python(): string | null {
  const program = '/usr/bin/python3';
  return spawnSync(program, ['-c', 'import gdcm, numpy, pydicom, requests']).status === 0 ? program : null;
}

/** Whether Debian's DCMTK is there. */
export function dcmtk(): boolean {
  return spawnSync('dcmdump', ['--version']).status === 0;
}
