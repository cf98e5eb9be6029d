// The real archive under the suites that DICOMweb is held to: what a viewer sees is the same whether
// a model or disks and replicas answer.
import { describeDicomweb } from '../contract/dicomweb.js';
import { describeDicomwebPack } from '../contract/dicomweb-pack.js';
import { ArchiveRig } from '../support/archive-rig.js';

async function makeArchive() {
  const rig = await ArchiveRig.create();
  return { archive: await rig.open(), close: () => rig.destroy() };
}

describeDicomweb('the archive of volumes and replicas', makeArchive);
describeDicomwebPack('the archive of volumes and replicas', makeArchive);
