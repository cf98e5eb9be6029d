// The DICOMweb surface over any Archive: what clients send and what they need back (docs: CLIENTS rules as tests). An
// implementation of Archive calls `describeDicomweb` with a factory; each test gets a fresh, empty archive.
import { afterEach, beforeEach, describe } from 'vitest';
import type { Archive } from '../../tiering/archive/archive.js';
import { DicomwebRig } from '../support/dicomweb-rig.js';
import { DirectPixels } from '../support/direct-pixels.js';
import { describeDelete } from './dicomweb/delete.js';
import { describeMetadata, describeSearch } from './dicomweb/find.js';
import { describeMetadataForms } from './dicomweb/metadata.js';
import { describeRendered } from './dicomweb/rendered.js';
import { describeBulkData, describeFrames, describeRetrieve } from './dicomweb/retrieve.js';
import { describeProtocol, describeStore } from './dicomweb/store.js';
import { describeStoreMetadata } from './dicomweb/store-metadata.js';
import { describeThumbnails } from './dicomweb/thumbnails.js';
import { describeZip } from './dicomweb/zip.js';

export interface ArchiveUnderTest {
  readonly archive: Archive;
  readonly close: () => Promise<void>;
}

/** The suite. */
export function describeDicomweb(name: string, makeArchive: () => Promise<ArchiveUnderTest>): void {
  describe(`${name} over DICOMweb`, () => {
    let subject: ArchiveUnderTest;
    let rig: DicomwebRig;
    beforeEach(async () => {
      subject = await makeArchive();
      rig = await DicomwebRig.start({ archive: subject.archive });
    });
    afterEach(async () => {
      await rig.stop();
      await subject.close();
    });
    const rigOf = () => rig;
    describeStore(rigOf);
    describeStoreMetadata(rigOf);
    describeSearch(rigOf);
    describeRetrieve(rigOf);
    describeMetadata(rigOf);
    describeMetadataForms(rigOf);
    describeFrames(rigOf);
    describeBulkData(rigOf);
    describeZip(rigOf);
    describeDelete(rigOf);
    describeProtocol(rigOf);
    describe('with a renderer', () => {
      let rendering: DicomwebRig;
      beforeEach(async () => {
        rendering = await DicomwebRig.start({ archive: subject.archive, pixels: new DirectPixels() });
      });
      afterEach(() => rendering.stop());
      describeRendered(() => rendering);
      describeThumbnails(() => rendering);
    });
  });
}
