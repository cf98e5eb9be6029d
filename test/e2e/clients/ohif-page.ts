// A web server that is only a viewer's: the built OHIF with a configuration that points at a gateway of another origin. It never speaks
// to the gateway itself, so whatever the viewer shows came through CORS.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
};

/** OHIF asks for all of these where it wants threads that share memory; then nothing without CORS or CORP loads. */
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

export type Thumbnails = 'wadors' | 'thumbnail' | 'rendered' | 'thumbnailDirect';

export interface OhifOptions {
  /** The built viewer. */
  readonly dist: string;
  /** Origin of the gateway. */
  readonly gateway: string;
  /** How OHIF gets its thumbnails. */
  readonly thumbnails: Thumbnails;
}

function configuration({ gateway, thumbnails }: OhifOptions): string {
  const root = `${gateway}/dicomweb`;
  const config = {
    routerBasename: null,
    extensions: [],
    modes: [],
    showStudyList: true,
    maxNumberOfWebWorkers: 2,
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: false,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    investigationalUseDialog: { option: 'never' },
    defaultDataSourceName: 'filmroom',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'filmroom',
        configuration: {
          friendlyName: 'Filmroom',
          name: 'filmroom',
          qidoRoot: root,
          wadoRoot: root,
          wadoUriRoot: `${gateway}/wado`,
          qidoSupportsIncludeField: true,
          imageRendering: 'wadors',
          thumbnailRendering: thumbnails,
          enableStudyLazyLoad: true,
          supportsFuzzyMatching: true,
          supportsWildcard: true,
          singlepart: 'bulkdata,video,pdf',
          omitQuotationForMultipartRequest: true,
          bulkDataURI: { enabled: true },
        },
      },
    ],
  };
  return `window.config = ${JSON.stringify(config)};\n`;
}

export class OhifPage {
  readonly origin: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    // Another site than 127.0.0.1, and not only another port.
    this.origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  }

  static async start(options: OhifOptions): Promise<OhifPage> {
    const server = createServer((req, res) => {
      const path = normalize(decodeURIComponent(new URL(req.url ?? '/', 'http://page').pathname));
      if (path === '/app-config.js') {
        res.writeHead(200, { ...ISOLATION, 'Content-Type': 'text/javascript' }).end(configuration(options));
        return;
      }
      const file = join(options.dist, path);
      const known = existsSync(file) && statSync(file).isFile();
      // The viewer's own routes, /viewer and the like, are all one page.
      const sent = known ? file : join(options.dist, 'index.html');
      const type = TYPES[extname(sent)] ?? 'application/octet-stream';
      // Names hold a hash of what is in them.
      const lasting = known ? { 'Cache-Control': 'public, max-age=3600' } : {};
      res.writeHead(200, { ...ISOLATION, ...lasting, 'Content-Type': type });
      createReadStream(sent).pipe(res);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new OhifPage(server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
