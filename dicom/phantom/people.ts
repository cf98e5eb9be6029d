// The people who never lived: patients of phantom studies, in Latin and Chinese script.
import { type DataSet, element } from '../encode/element.js';
import { Prng, seedOf, uidOf } from './prng.js';
import type { PhantomCharset } from './text-encoder.js';

export interface PhantomPatient {
  /** Patient's Name: alphabetic, and ideographic where there is one. */
  readonly name: string;
  readonly id: string;
  readonly birthDate: string;
  readonly sex: 'F' | 'M';
  readonly script: 'latin' | 'chinese';
}

const LATIN: readonly (readonly [string, 'F' | 'M'])[] = [
  ['Müller^Jörg', 'M'],
  ["O'Hara^Siobhan^Mary^Dr.", 'F'],
  ['Núñez^Íñigo', 'M'],
  ['Lefèvre^Zoë', 'F'],
  ['Andersen^Bjørn', 'M'],
];
/** 錦 is E55C in GB18030: its second byte is a backslash, on which careless readers split the name. */
const CHINESE: readonly (readonly [string, 'F' | 'M'])[] = [
  ['Wang^XiaoDong=王^小东', 'M'],
  ['Chen^JinHua=陳^錦華', 'F'],
  ['Zhang^Wei=张^伟', 'M'],
  ['Ouyang^XiaoMing=欧阳^晓明', 'F'],
];

/** Patient number `index` of a seed: odd ones are Chinese. */
export function phantomPatient(seed: number, index: number): PhantomPatient {
  const prng = new Prng(seedOf(seed, 'patient', index));
  const chinese = index % 2 === 1;
  const names = chinese ? CHINESE : LATIN;
  const [name, sex] = names[Math.floor(index / 2) % names.length] ?? ['Phantom', 'F'];
  return {
    name,
    sex,
    id: `PH${String(seedOf(seed, 'id', index) % 1_000_000).padStart(6, '0')}-${index}`,
    birthDate: `${1930 + prng.below(80)}${twoDigits(1 + prng.below(12))}${twoDigits(1 + prng.below(28))}`,
    script: chinese ? 'chinese' : 'latin',
  };
}

export interface PhantomStudy {
  readonly seed: number;
  readonly number: number;
  readonly uid: string;
  readonly patient: PhantomPatient;
  readonly charset: PhantomCharset;
  readonly date: string;
  readonly time: string;
  readonly description: string;
}

export interface PhantomVisit {
  readonly seed: number;
  readonly number: number;
  /** Number of the patient, and which of their studies this is. */
  readonly patient: number;
  readonly visit: number;
  readonly description: string;
}

/** One study; those of one patient lie years apart. Chinese ones alternate between UTF-8 and GB18030, from visit to visit. */
export function phantomStudy({ seed, number, patient: index, visit, description }: PhantomVisit): PhantomStudy {
  const prng = new Prng(seedOf(seed, 'study', number));
  const patient = phantomPatient(seed, index);
  const chinese = (Math.floor(index / 2) + visit) % 2 === 0 ? 'GB18030' : 'ISO_IR 192';
  return {
    seed,
    number,
    uid: uidOf(seed, 'study', number),
    patient,
    charset: patient.script === 'latin' ? 'ISO_IR 100' : chinese,
    date: `${2015 + (number % 10)}${twoDigits(1 + prng.below(12))}${twoDigits(1 + prng.below(28))}`,
    time: `${twoDigits(7 + prng.below(12))}${twoDigits(prng.below(60))}${twoDigits(prng.below(60))}`,
    description,
  };
}

/** The patient and study modules. */
export function studyElements(study: PhantomStudy): DataSet {
  const { patient } = study;
  const chinese = patient.script === 'chinese';
  return [
    element(0x00080020, 'DA', study.date),
    element(0x00080030, 'TM', study.time),
    element(0x00080050, 'SH', `A${String(seedOf(study.seed, 'accession', study.number) % 10_000_000)}`),
    element(0x00080080, 'LO', chinese ? '幻影医院' : 'Phantom General Hospital'),
    element(0x00080090, 'PN', chinese ? 'Li^Na=李^娜' : 'Referrer^Rosa'),
    element(0x00081030, 'LO', study.description),
    element(0x00100010, 'PN', patient.name),
    element(0x00100020, 'LO', patient.id),
    element(0x00100030, 'DA', patient.birthDate),
    element(0x00100040, 'CS', patient.sex),
    element(0x0020000d, 'UI', study.uid),
    element(0x00200010, 'SH', `S${study.number}`),
  ];
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
