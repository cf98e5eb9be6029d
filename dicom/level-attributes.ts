// Which attributes belong to the study, the series and the instance: those that QIDO-RS returns by default (PS3.18
// tables 10.6.3-3 to -5) and those that clients ask for, so that a search never opens the full metadata. Computed ones
// (counts, ModalitiesInStudy, availability, RetrieveURL) are the index's.
import { ArchiveError } from '../tiering/core/errors.js';
import type { LevelAttributes } from './instance.js';

export type Level = 'study' | 'series' | 'instance';

const STUDY = [
  '00080005', // SpecificCharacterSet
  '00080020', // StudyDate
  '00080030', // StudyTime
  '00080050', // AccessionNumber
  '00080051', // IssuerOfAccessionNumberSequence
  '00080080', // InstitutionName
  '00080090', // ReferringPhysicianName
  '00080201', // TimezoneOffsetFromUTC
  '00081030', // StudyDescription
  '00081032', // ProcedureCodeSequence
  '00081048', // PhysiciansOfRecord
  '00081060', // NameOfPhysiciansReadingStudy
  '00081080', // AdmittingDiagnosesDescription
  '00100010', // PatientName
  '00100020', // PatientID
  '00100021', // IssuerOfPatientID
  '00100030', // PatientBirthDate
  '00100032', // PatientBirthTime
  '00100040', // PatientSex
  '00101000', // OtherPatientIDs
  '00101001', // OtherPatientNames
  '00101002', // OtherPatientIDsSequence
  '00101010', // PatientAge
  '00101020', // PatientSize
  '00101030', // PatientWeight
  '00102160', // EthnicGroup
  '00104000', // PatientComments
  '0020000D', // StudyInstanceUID
  '00200010', // StudyID
  '00321032', // RequestingPhysician
  '00321060', // RequestedProcedureDescription
];

const SERIES = [
  '00080021', // SeriesDate
  '00080031', // SeriesTime
  '00080060', // Modality
  '00080064', // ConversionType
  '00080068', // PresentationIntentType
  '00080070', // Manufacturer
  '00081010', // StationName
  '0008103E', // SeriesDescription
  '0008103F', // SeriesDescriptionCodeSequence
  '00081040', // InstitutionalDepartmentName
  '00081050', // PerformingPhysicianName
  '00081070', // OperatorsName
  '00081090', // ManufacturerModelName
  '00180015', // BodyPartExamined
  '00181000', // DeviceSerialNumber
  '00181020', // SoftwareVersions
  '00181030', // ProtocolName
  '00185100', // PatientPosition
  '0020000E', // SeriesInstanceUID
  '00200011', // SeriesNumber
  '00200052', // FrameOfReferenceUID
  '00200060', // Laterality
  '00400244', // PerformedProcedureStepStartDate
  '00400245', // PerformedProcedureStepStartTime
  '00400253', // PerformedProcedureStepID
  '00400254', // PerformedProcedureStepDescription
  '00400275', // RequestAttributesSequence
];

const INSTANCE = [
  '00080008', // ImageType
  '00080016', // SOPClassUID
  '00080018', // SOPInstanceUID
  '00080022', // AcquisitionDate
  '00080023', // ContentDate
  '0008002A', // AcquisitionDateTime
  '00080032', // AcquisitionTime
  '00080033', // ContentTime
  '00200012', // AcquisitionNumber
  '00200013', // InstanceNumber
  '00280002', // SamplesPerPixel
  '00280004', // PhotometricInterpretation
  '00280008', // NumberOfFrames
  '00280010', // Rows
  '00280011', // Columns
  '00280100', // BitsAllocated
  '0040A043', // ConceptNameCodeSequence
  '0040A491', // CompletionFlag
  '0040A493', // VerificationFlag
  '00420010', // DocumentTitle
  '00700080', // ContentLabel
  '00700081', // ContentDescription
];

/** The tags of each level, 8 upper-case hex digits. */
export const LEVEL_TAGS: Readonly<Record<Level, readonly string[]>> = {
  study: STUDY,
  series: SERIES,
  instance: INSTANCE,
};

const LEVELS: readonly Level[] = ['study', 'series', 'instance'];
const BY_HEX: ReadonlyMap<string, Level> = new Map(
  LEVELS.flatMap((level) => LEVEL_TAGS[level].map((tag) => [tag, level] as const)),
);
const BY_NUMBER: ReadonlyMap<number, Level> = new Map(
  [...BY_HEX].map(([tag, level]) => [Number.parseInt(tag, 16), level] as const),
);

/** The level that an attribute of the top level of a data set belongs to; undefined: only in the full metadata. */
export function levelOfTag(tag: number): Level | undefined {
  return BY_NUMBER.get(tag);
}

/** Joins JSON members (`"00080020":{…}`) of each level into objects. */
export function levelObjects(members: Readonly<Record<Level, readonly string[]>>): LevelAttributes {
  return {
    study: `{${members.study.join(',')}}`,
    series: `{${members.series.join(',')}}`,
    instance: `{${members.instance.join(',')}}`,
  };
}

const QUOTE = 0x22;
const ESCAPE = 0x5c;

/** The index after the string that begins at `at`. */
function afterString(json: string, at: number): number {
  for (let next = at + 1; next < json.length; next++) {
    const code = json.charCodeAt(next);
    if (code === ESCAPE) next++;
    else if (code === QUOTE) return next + 1;
  }
  throw notAnObject();
}

/** The index after the value that begins at `at`: an object or array; nothing else is an attribute. */
function afterValue(json: string, at: number): number {
  let depth = 0;
  for (let next = at; next < json.length; ) {
    const code = json.charCodeAt(next);
    if (code === QUOTE) {
      next = afterString(json, next);
      continue;
    }
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    next++;
    if (depth === 0) return next;
  }
  throw notAnObject();
}

function notAnObject(): ArchiveError {
  return new ArchiveError('CORRUPT', 'stored metadata is not a DICOM JSON object without white space');
}

/**
 * The level attributes of a full metadata object as parseInstance writes it (compact, one attribute once): the same text that
 * parseInstance gave. Nothing is parsed and written anew, so numbers keep their spelling. Throws CORRUPT for other text.
 */
export function levelAttributesOfJson(json: string): LevelAttributes {
  const members: Record<Level, string[]> = { study: [], series: [], instance: [] };
  if (json === '{}') return levelObjects(members);
  if (json.charCodeAt(0) !== 0x7b) throw notAnObject();
  for (let at = 1; ; ) {
    // `"gggggggg":{`
    if (json.charCodeAt(at) !== QUOTE || json.slice(at + 9, at + 12) !== '":{') throw notAnObject();
    const end = afterValue(json, at + 11);
    const level = BY_HEX.get(json.slice(at + 1, at + 9));
    if (level !== undefined) members[level].push(json.slice(at, end));
    const next = json.charCodeAt(end);
    if (next === 0x7d && end === json.length - 1) return levelObjects(members);
    if (next !== 0x2c) throw notAnObject();
    at = end + 1;
  }
}
