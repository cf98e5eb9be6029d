// One visit to OHIF: what a person does with it (look at the list, open a study, turn the wheel), and everything that went wrong meanwhile.
// Waits are on what is on the screen, never on time.
import { artefact, type Browser, type Page } from './viewers.js';

const PAGE_MS = 45_000;

/** What the canvas that shows the images holds now. */
export interface Picture {
  readonly hash: string;
  /** Distinct grey levels or colours; one is an empty screen. */
  readonly colours: number;
}

/** The tour is for those who see OHIF for the first time; it lies over the picture. */
const SEEN_THE_TOUR = `localStorage.setItem('shownTours', '["basicViewerTour"]')`;

// FNV-1a over every pixel. Frames are counted for which the picture stayed as it is: the window and the zoom are set a moment after the
// first drawing.
const WATCH = `
  (() => {
    const seen = { hash: '', colours: 0, frames: 0 };
    window.filmroomPicture = seen;
    const look = () => {
      const canvas = document.querySelector('canvas.cornerstone-canvas');
      if (canvas !== null && canvas.width > 0 && canvas.height > 0) {
        const words = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        let hash = 0x811c9dc5;
        for (const word of words) hash = Math.imul(hash ^ word, 0x01000193) >>> 0;
        const text = hash.toString(16);
        if (text === seen.hash) seen.frames += 1;
        else Object.assign(seen, { hash: text, colours: new Set(words).size, frames: 0 });
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  })()`;

const SETTLED = 'window.filmroomPicture.frames >= 5 && window.filmroomPicture.colours > 2';

export class OhifSession {
  readonly page: Page;
  /** What a developer would see in red: errors of the console and of the page, requests that failed. */
  readonly complaints: string[] = [];
  readonly #close: () => Promise<void>;
  readonly #origin: string;

  private constructor(page: Page, origin: string, close: () => Promise<void>) {
    this.page = page;
    this.#origin = origin;
    this.#close = close;
  }

  static async open(browser: Browser, origin: string): Promise<OhifSession> {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
    await context.addInitScript(SEEN_THE_TOUR);
    const page = await context.newPage();
    page.setDefaultTimeout(PAGE_MS);
    const session = new OhifSession(page, origin, () => context.close());
    const { complaints } = session;
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`page: ${error.message}`));
    page.on('response', (response) => {
      if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      const text = request.failure()?.errorText ?? '';
      // What the viewer itself gave up when it left the page.
      if (text !== 'net::ERR_ABORTED') complaints.push(`${text} ${request.url()}`);
    });
    return session;
  }

  close(): Promise<void> {
    return this.#close();
  }

  keep(name: string): Promise<unknown> {
    return this.page.screenshot({ path: artefact(`ohif-${name}.png`) });
  }

  /** The study list, once it has as many rows. */
  async list(studies: number): Promise<readonly string[]> {
    await this.page.goto(`${this.#origin}/`);
    return this.rows(studies);
  }

  async rows(studies: number): Promise<readonly string[]> {
    // A row that says that there is none has one cell.
    const rows = `[...document.querySelectorAll('tbody tr')].filter((row) => row.cells.length > 1 && row.querySelector('input') === null)`;
    await this.page.waitForFunction(`${rows}.length === ${studies}`);
    return this.page.evaluate<string[]>(`${rows}.map((row) => row.innerText.replace(/\\s+/g, ' ').trim())`);
  }

  /** Chooses a study in the list and opens it. */
  async choose(text: string): Promise<void> {
    await this.page.locator('tbody tr').filter({ hasText: text }).first().click();
    await this.page.getByRole('button', { name: 'Basic Viewer', exact: true }).click();
  }

  goTo(study: string): Promise<unknown> {
    return this.page.goto(`${this.#origin}/viewer?StudyInstanceUIDs=${study}`);
  }

  /** The picture on the screen once it no longer changes. */
  async picture(): Promise<Picture> {
    await this.page.waitForFunction('document.querySelector("canvas.cornerstone-canvas") !== null');
    await this.page.evaluate(`window.filmroomPicture === undefined ? ${WATCH} : undefined`);
    await this.page.waitForFunction(SETTLED);
    return this.page.evaluate<Picture>('({ hash: filmroomPicture.hash, colours: filmroomPicture.colours })');
  }

  /** Turns the wheel by one image over the picture; resolves when the next one, number `to`, is drawn. */
  async scrollTo(to: number): Promise<Picture> {
    const before = await this.picture();
    await this.page.locator('canvas.cornerstone-canvas').first().hover();
    await this.page.mouse.wheel(0, 100);
    const overlay = `document.querySelector('[data-cy=viewport-overlay-bottom-right]').innerText`;
    await this.page.waitForFunction(`/\\(${to}\\/\\d+\\)/.test(${overlay})`);
    await this.page.waitForFunction(`window.filmroomPicture.hash !== '${before.hash}' && ${SETTLED}`);
    return this.picture();
  }

  /** Thumbnails that show something, once there are as many: images with more than one colour. */
  async thumbnails(count: number): Promise<void> {
    await this.page.waitForFunction(`
      [...document.querySelectorAll('[data-cy=study-browser-thumbnail] img')].filter((image) => {
        if (!image.complete || image.naturalWidth === 0) return false;
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [64, 64];
        const context = canvas.getContext('2d');
        context.drawImage(image, 0, 0, 64, 64);
        try {
          return new Set(new Uint32Array(context.getImageData(0, 0, 64, 64).data.buffer)).size > 2;
        } catch {
          // Loaded without CORS, so that its pixels may be shown and not read.
          return true;
        }
      }).length >= ${count}`);
  }
}
