// STOW-RS of metadata and bulk data (PS3.18 10.5.2): JSON or XML parts that describe instances, then parts that are named by
// Content-Location as the metadata names them. A name is only ever compared with the names in the same request: nothing is fetched.
import { tagText } from '../../dicom/dicom-error.js';
import type { DataSet } from '../../dicom/encode/element.js';
import {
  type EncodedDataSet,
  encodeDataSet,
  identityOf,
  type SentIdentity,
} from '../../dicom/encode/instance-encoder.js';
import { readJson } from '../../dicom/encode/json-reader.js';
import { readXml } from '../../dicom/xml/xml-reader.js';
import { ArchiveError, hasCode } from '../../tiering/core/errors.js';
import { parseSopUid } from '../../tiering/core/ids.js';
import { Semaphore } from '../../tiering/core/queues.js';
import { inTurns } from '../answer/turns.js';
import type { Exchange } from '../exchange.js';
import type { DicomwebLimits } from '../limits.js';
import { parseMediaType } from '../negotiation/accept.js';
import { HttpProblem } from '../problem.js';
import type { Part } from './multipart-reader.js';
import { UnknownSyntax } from './stow-bulk-form.js';
import { Held } from './stow-held.js';
import { type Intake, type Refused, refused } from './stow-intake.js';
import { jsonInstances, tooLong, utf8 } from './stow-json-instances.js';
import { type BulkValue, WaitingInstance } from './stow-waiting.js';

/** Text that is being read at once in the process: what it becomes meanwhile is some ten times as large. */
const READING_BYTES_MAX = 16 * 1024 * 1024;
const READERS_WAITING_MAX = 1000;
const reading = new Semaphore(READING_BYTES_MAX, READERS_WAITING_MAX);

const METADATA_TYPES: ReadonlyMap<string, 'json' | 'xml'> = new Map([
  ['application/dicom+json', 'json'],
  ['application/json', 'json'],
  ['application/dicom+xml', 'xml'],
  ['application/xml', 'xml'],
]);

interface Wanted {
  readonly instance: WaitingInstance;
  readonly value: BulkValue;
}

function nothing(): void {}

function refusedInstance(error: unknown, identity: SentIdentity | null): Refused {
  const { sop = null, sopClass = null } = identity ?? {};
  const instance = { ...(sop === null ? {} : { sop: parseSopUid(sop) }), ...(sopClass === null ? {} : { sopClass }) };
  return refused(error, instance, error instanceof UnknownSyntax ? 'TRANSFER_SYNTAX' : null);
}

export class MetadataStore {
  readonly #exchange: Exchange;
  readonly #limits: DicomwebLimits;
  readonly #intake: Intake;
  readonly #kind: 'json' | 'xml';
  readonly #held: Held;
  /** By bulk data URI. */
  readonly #wanted = new Map<string, Wanted>();
  /** Is being stored while its bulk data comes. */
  #live: WaitingInstance | null = null;
  /** Instances whose metadata came. */
  #count = 0;

  /** @param kind what a part without a Content-Type is. */
  constructor(exchange: Exchange, intake: Intake, kind: 'json' | 'xml') {
    this.#exchange = exchange;
    this.#limits = exchange.services.limits;
    this.#intake = intake;
    this.#kind = kind;
    this.#held = new Held(this.#limits);
  }

  /** Takes one part of either sort. Throws what ends the request: a malformed array, a limit, a body that broke off, a full archive. */
  async takePart(part: Part): Promise<void> {
    const location = part.headers.get('content-location');
    const wanted = location === undefined ? undefined : this.#wanted.get(location);
    if (wanted !== undefined) {
      await this.#takeBulk(wanted, part);
      return;
    }
    const { type, parameters } = parseMediaType(part.headers.get('content-type') ?? '');
    const kind = METADATA_TYPES.get(type) ?? (type === '' && location === undefined ? this.#kind : undefined);
    if (kind !== undefined) await this.takeMetadata(part.body, parameters.get('transfer-syntax') ?? null, kind);
    else if (this.#count > 0) this.#intake.refuse(refused(new ArchiveError('INVALID', STRAY)));
    else throw new ArchiveError('INVALID', 'the metadata of an instance comes before its bulk data');
  }

  /** Takes the metadata of one instance (XML) or of any number (JSON). */
  async takeMetadata(body: AsyncIterable<Uint8Array>, syntax: string | null, kind = this.#kind): Promise<void> {
    if (kind === 'xml') {
      const bytes = await this.#whole(body);
      await this.#takeText(bytes, kind, syntax);
      this.#held.give(bytes.length);
    } else {
      for await (const bytes of jsonInstances(body, this.#limits.metadataBytesMax, this.#held)) {
        await this.#takeText(bytes, kind, syntax);
      }
    }
  }

  /** Refuses what still waits, and gives back what is held. */
  async finish(): Promise<void> {
    const waiting = new Set([...this.#wanted.values()].map(({ instance }) => instance));
    for (const instance of waiting) {
      if (instance.settled) continue;
      const missing = instance.missing;
      const error = new ArchiveError(
        'INVALID',
        `the request does not hold the bulk data of ${missing === undefined ? 'an element' : tagText(missing.tag)}; nothing is fetched from anywhere else`,
      );
      await instance.abandon(error);
      this.#intake.refuse(refusedInstance(error, instance.encoded.identity));
    }
    this.#held.close();
  }

  async #whole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of body) {
      bytes += piece.length;
      if (bytes > this.#limits.metadataBytesMax) throw tooLong(this.#limits.metadataBytesMax);
      this.#held.take(piece.length);
      pieces.push(Buffer.from(piece));
    }
    return Buffer.concat(pieces);
  }

  async #takeText(bytes: Uint8Array, kind: 'json' | 'xml', syntax: string | null): Promise<void> {
    if (++this.#count > this.#limits.partsMax) {
      throw new HttpProblem(413, `the request has more than ${this.#limits.partsMax} instances`, { code: 'LIMIT' });
    }
    let identity: SentIdentity | null = null;
    try {
      const dataSet = await this.#read(bytes, kind);
      identity = identityOf(dataSet);
      const encoded = await inTurns(encodeDataSet(dataSet), nothing);
      await this.#takeInstance(encoded, syntax);
    } catch (error) {
      if (!hasCode(error, 'INVALID')) throw error;
      this.#intake.refuse(refusedInstance(error, identity));
    }
  }

  async #read(bytes: Uint8Array, kind: 'json' | 'xml'): Promise<DataSet> {
    return await reading.run(
      () => {
        const text = utf8(bytes);
        return inTurns(kind === 'json' ? readJson(text) : readXml(text), nothing);
      },
      { units: bytes.length, signal: this.#exchange.signal },
    );
  }

  async #takeInstance(encoded: EncodedDataSet, syntax: string | null): Promise<void> {
    const instance = new WaitingInstance(encoded, syntax, {
      intake: this.#intake,
      held: this.#held,
      limits: this.#limits,
    });
    if (instance.values.size === 0) {
      await instance.store();
      return;
    }
    for (const [uri, value] of instance.values) {
      if (this.#wanted.has(uri)) {
        await instance.abandon(NAMED_TWICE);
        throw NAMED_TWICE;
      }
      this.#wanted.set(uri, { instance, value });
    }
  }

  async #takeBulk({ instance, value }: Wanted, part: Part): Promise<void> {
    // What else comes for a refused one says nothing new.
    if (instance.refused) return;
    if (instance.settled) {
      this.#intake.refuse(refused(new ArchiveError('INVALID', STRAY)));
      return;
    }
    try {
      if (this.#live !== null && this.#live !== instance && !this.#live.settled) await this.#interrupt(this.#live);
      await instance.takePart(value, part);
      if (instance.isLive) this.#live = instance;
      else if (instance.whole) await instance.store();
    } catch (error) {
      if (!hasCode(error, 'INVALID')) throw error;
      await instance.abandon(error);
      this.#intake.refuse(refusedInstance(error, instance.encoded.identity));
    }
  }

  /** Two that are stored at once could wait for each other's memory. */
  async #interrupt(live: WaitingInstance): Promise<void> {
    const error = new ArchiveError('INVALID', 'long pixel data was interrupted by parts of another instance');
    await live.abandon(error);
    this.#intake.refuse(refusedInstance(error, live.encoded.identity));
  }
}

const STRAY = 'a part of bulk data that no metadata before it waits for';
const NAMED_TWICE = new ArchiveError('INVALID', 'a bulk data URI that the metadata of another instance names too');
