// Every fault there is. Its name is what it is called in docs/reliability.md, on the command line and in the log of a run.
import type { Fault } from './fault.js';
import { cloudAnswerFaults } from './faults/cloud-answers.js';
import { cloudAwayFaults } from './faults/cloud-away.js';
import { dicomFaults } from './faults/dicom.js';
import { diskFaults } from './faults/disks.js';
import { indexFaults } from './faults/index-file.js';
import { keyFaults } from './faults/keys.js';
import { lineFaults } from './faults/lines.js';
import { linkFaults } from './faults/link.js';
import { objectFaults } from './faults/objects.js';
import { processFaults } from './faults/process.js';
import { questionFaults } from './faults/questions.js';
import { requestFaults } from './faults/requests.js';
import { volumeFaults } from './faults/volume.js';

export const LIBRARY: readonly Fault[] = [
  ...requestFaults,
  ...questionFaults,
  ...dicomFaults,
  ...objectFaults,
  ...keyFaults,
  ...cloudAwayFaults,
  ...cloudAnswerFaults,
  ...linkFaults,
  ...lineFaults,
  ...volumeFaults,
  ...diskFaults,
  ...indexFaults,
  ...processFaults,
];
