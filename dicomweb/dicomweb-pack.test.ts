import { describeDicomwebPack } from '../test/contract/dicomweb-pack.js';
import { MemoryArchive } from '../test/support/memory-archive.js';

describeDicomwebPack('the memory archive', async () => {
  const archive = new MemoryArchive();
  return { archive, close: () => archive.close() };
});
