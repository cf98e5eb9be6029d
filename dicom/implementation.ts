// Who this program is where DICOM asks for the writer of a file (PS3.7 D.3.3.2, PS3.10 7.1).

/** Drawn once (PS3.5 B.2); the same in every version. */
export const IMPLEMENTATION_CLASS_UID = '2.25.309790770273071134478439363774496334619';
/** At most 16 characters. */
export const IMPLEMENTATION_VERSION_NAME = 'FILMROOM';
