import { describeMetadataPack } from '../../test/contract/dicomweb-metadata-pack.js';
import { MemoryArchive } from '../../test/support/memory-archive.js';

describeMetadataPack('the memory archive', async () => {
  const archive = new MemoryArchive();
  return { archive, close: () => archive.close() };
});
