import { describeDicomweb } from '../test/contract/dicomweb.js';
import { MemoryArchive } from '../test/support/memory-archive.js';

describeDicomweb('the memory archive', async () => {
  const archive = new MemoryArchive();
  return { archive, close: () => archive.close() };
});
