// Every fault there is. Its name is what it is called in docs/reliability.md, on the command line and in the log of a run.
import type { Fault } from './fault.js';
import { cloudAwayFaults } from './faults/cloud-away.js';
import { dicomFaults } from './faults/dicom.js';
import { questionFaults } from './faults/questions.js';
import { requestFaults } from './faults/requests.js';
import { volumeFaults } from './faults/volume.js';

export const LIBRARY: readonly Fault[] = [
  ...requestFaults,
  ...questionFaults,
  ...dicomFaults,
  ...cloudAwayFaults,
  ...volumeFaults,
];
