// Search over HTTP and the real index: the forms of query that viewers send (CLIENTS C1, C4, C5), and names of the shared DICOM pack found
// as they are written, as they are read, and as they are romanised.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArchiveRig } from '../support/archive-rig.js';
import { findDicomPack } from '../support/dicom-pack.js';
import { DicomwebRig } from '../support/dicomweb-rig.js';
import { json } from '../support/dicomweb-samples.js';
import { buildPart10, type Element, encodeElement } from '../support/part10-builder.js';

const pack = findDicomPack();

interface Made {
  readonly study: number;
  readonly series?: number;
  readonly instance?: number;
  readonly elements: readonly Element[];
}

function made({ study, series = 1, instance = 1, elements }: Made): Buffer {
  const uid = `1.2.${study}`;
  return buildPart10({ study: uid, series: `${uid}.${series}`, sop: `${uid}.${series}.${instance}`, elements });
}

/** An item of (0040,0275) Request Attributes Sequence. */
function request(procedure: string, step: string): Buffer {
  const inside = Buffer.concat([encodeElement(['00400009', 'SH', step]), encodeElement(['00401001', 'SH', procedure])]);
  const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, inside.length, 0, 0, 0]);
  return Buffer.concat([head, inside]);
}

const SAMPLES: readonly Made[] = [
  {
    study: 1,
    elements: [
      ['00080020', 'DA', '20260105'],
      ['00080030', 'TM', '093000'],
      ['00080050', 'SH', 'A1'],
      ['00080060', 'CS', 'CT'],
      ['00081030', 'LO', 'Chest routine'],
      ['0008103E', 'LO', 'thin'],
      ['00100010', 'PN', 'Schmidt^Anna'],
      ['00100020', 'LO', 'P1'],
      ['00100021', 'LO', 'HOSP'],
      ['00100030', 'DA', '19600229'],
      ['0008002A', 'DT', '20260105093000+0100'],
      ['00200010', 'SH', 'S1'],
      ['00200011', 'IS', '3'],
      ['00400275', 'SQ', Buffer.concat([request('RP1', 'SP1'), request('RP2', 'SP2')])],
    ],
  },
  {
    study: 1,
    series: 2,
    elements: [
      ['00080020', 'DA', '20260105'],
      ['00080060', 'CS', 'PT'],
      ['00100010', 'PN', 'Schmidt^Anna'],
      ['00100020', 'LO', 'P1'],
    ],
  },
  {
    study: 2,
    elements: [
      ['00080020', 'DA', '20260107'],
      ['00080050', 'SH', ''],
      ['00080030', 'TM', '1815'],
      ['00080060', 'CS', 'CT'],
      ['00081030', 'LO', 'Chest, low dose'],
      ['00100010', 'PN', "O'Neil^Sam"],
      ['00100020', 'LO', 'P2'],
      ['00100021', 'LO', 'OTHER'],
      ['00181160', 'SH', 'WEDGE'],
    ],
  },
  {
    study: 3,
    elements: [
      ['00080020', 'DA', '20260106'],
      ['00080050', 'SH', ''],
      ['00080030', 'TM', '0300'],
      ['00080060', 'CS', 'MR'],
      ['00100010', 'PN', 'Wang^Lin=单^雄信'],
      ['00100020', 'LO', 'P1'],
      ['00100021', 'LO', 'OTHER'],
    ],
  },
];

describe('search over the whole archive', () => {
  let rig: ArchiveRig;
  let web: DicomwebRig;
  const charsets = (pack?.files ?? []).filter((file) => file.file.startsWith('charset/') && file.expected === 'store');
  beforeAll(async () => {
    rig = await ArchiveRig.create();
    web = await DicomwebRig.start({ archive: await rig.open() });
    // Some are the same instance in other bytes: the first is kept.
    const sops = new Set<string | null>();
    const first = charsets.filter(({ SOPInstanceUID: sop }) => !sops.has(sop) && sops.add(sop));
    const files = first.map((file) => pack?.read(file) ?? Buffer.alloc(0));
    for (const part of [...SAMPLES.map(made), ...files]) expect([200, 202]).toContain((await web.stow([part])).status);
  }, 120_000);
  afterAll(async () => {
    await web.stop();
    await rig.destroy();
  });

  const rows = async (path: string) => {
    const reply = await web.call(`/dicomweb/${path}`);
    if (reply.status === 204) return [];
    expect(reply.status, path).toBe(200);
    return json(reply);
  };
  /** Of the studies made here. */
  const found = async (query: string) =>
    (await rows(`studies?limit=200&${query}`))
      .map((row) => String(row['0020000D']?.Value?.[0]))
      .filter((uid) => /^1\.2\.[1-3]$/.test(uid))
      .map((uid) => Number(uid.slice(4)))
      .sort((a, b) => a - b);

  it.each<readonly [string, readonly number[]]>([
    // C1: OHIF's work list.
    [
      'limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030&PatientName=*schm*',
      [1],
    ],
    ['00100020=*P1*', [1, 3]],
    ['ModalitiesInStudy=CT,MR', [1, 2, 3]],
    ['ModalitiesInStudy=PT%5CUS', [1]],
    ['ModalitiesInStudy=CT%5CPT&multiplevaluematching=true', [1]],
    ['StudyDate=20260106-20260107', [2, 3]],
    ['StudyInstanceUID=1.2.1%5C1.2.3', [1, 3]],
    ['StudyDescription=*low%20dose*', [2]],
    // C5: Weasis: an issuer beside the id, a tag in the place of a keyword.
    ['00100020=P1&00100021=OTHER', [3]],
    ['0020000D=1.2.2,1.2.3&includefield=00080020,StudyDescription', [2, 3]],
    // Ranges, combined and by themselves.
    ['StudyDate=20260105-20260107&StudyTime=1000-1800', [3]],
    ['StudyDate=20260106-&StudyTime=1800-', [2]],
    ['StudyDate=20260105,20260107', [1, 2]],
    ['StudyTime=0900-1000', [1]],
    ['AcquisitionDateTime=20260105082900%2B0000-20260105083100%2B0000', [1]],
    ['AcquisitionDateTime=20260105083100+0000-', []],
    // Keys of every level and of none, in sequences.
    ['PatientBirthDate=19600229', [1]],
    ['PatientBirthDate=-19650101', [1]],
    ['PatientBirthDate=19650101-', []],
    ['StudyID=S?', [1]],
    ['SeriesDescription=th*n&Modality=CT', [1]],
    ['SeriesDescription=th*n&Modality=PT', []],
    ['SeriesNumber=3', [1]],
    ['FilterType=WED*', [2]],
    ['RequestAttributesSequence.ScheduledProcedureStepID=SP2', [1]],
    ['00400275.00401001=RP1&00400275.00400009=SP1', [1]],
    ['RequestAttributesSequence.RequestedProcedureID=RP1&RequestAttributesSequence.ScheduledProcedureStepID=SP2', []],
    // Nothing asked, and nothing there.
    ['AccessionNumber=&StudyDate=*', [1, 2, 3]],
    ['AccessionNumber=""&emptyvaluematching=true&StudyDate=20260101-', [2, 3]],
    ['NoSuchThing=1&PatientID=P2', [2]],
    // Names, fuzzily: by sound, by reading, without their marks, in any order.
    ['PatientName=smith&fuzzymatching=true', [1]],
    ['PatientName=anna%20schmit&fuzzymatching=true', [1]],
    ['PatientName=*oneil*&fuzzymatching=true', [2]],
    ['PatientName=shanxiong&fuzzymatching=true', [3]],
    ['PatientName=sxx&fuzzymatching=true', [3]],
    ['PatientName=%E5%8D%95%E9%9B%84&fuzzymatching=true', [3]],
    ['PatientName=smith&fuzzymatching=false', []],
  ])('finds studies by %s', async (query, expected) => {
    expect(await found(query)).toEqual(expected);
  });

  it('answers MONAI Label and Slicer: series with what is above them, without a limit', async () => {
    const series = await rows('series?Modality=CT');
    expect(series.map((row) => row['0020000E']?.Value?.[0])).toEqual(expect.arrayContaining(['1.2.1.1', '1.2.2.1']));
    const [one] = await rows('series?SeriesInstanceUID=1.2.1.2');
    expect(one).toMatchObject({
      '00080005': { Value: ['ISO_IR 192'] },
      '00080020': { Value: ['20260105'] },
      '00080056': { Value: ['ONLINE'] },
      '00100020': { Value: ['P1'] },
      '0020000D': { Value: ['1.2.1'] },
      '00201206': { Value: [2] },
      '00201209': { Value: [1] },
    });
    expect(one?.['00081190']?.Value?.[0]).toMatch(/\/dicomweb\/studies\/1\.2\.1\/series\/1\.2\.1\.2$/);
  });

  it('includes sequences, attributes below and of no level, by comma and repeated; and what was matched', async () => {
    const [row] = await rows('studies?StudyInstanceUID=1.2.2&includefield=00080060,FilterType&includefield=0008103E');
    expect(row).toMatchObject({ '00080060': { Value: ['CT'] }, '00181160': { Value: ['WEDGE'] } });
    const [sequence] = await rows('series?SeriesInstanceUID=1.2.1.1&includefield=RequestAttributesSequence');
    expect(sequence?.['00400275']?.Value).toHaveLength(2);
    const [matched] = await rows('studies?FilterType=WEDGE');
    expect(matched?.['00181160']?.Value).toEqual(['WEDGE']);
    const [all] = await rows('instances?SOPInstanceUID=1.2.2.1.1&includefield=all');
    expect(all).toMatchObject({ '00181160': { Value: ['WEDGE'] }, '00100021': { Value: ['OTHER'] } });
  });

  it('counts, pages to an end over distinct studies, and keeps one order', async () => {
    const first = await web.call('/dicomweb/studies?limit=2');
    const total = Number(first.headers['x-total-count']);
    const seen: unknown[] = [];
    for (let offset = 0; ; offset += 2) {
      const page = await rows(`studies?limit=2&offset=${offset}`);
      if (page.length === 0) break;
      seen.push(...page.map((row) => row['0020000D']?.Value?.[0]));
    }
    expect(seen).toHaveLength(total);
    expect(new Set(seen).size).toBe(total);
    const dates = (await rows('studies?limit=200')).map((row) => Number(row['00080020']?.Value?.[0] ?? 0));
    expect(dates).toEqual([...dates].sort((a, b) => b - a));
  });

  describe.skipIf(pack === null)('names of the DICOM pack', () => {
    it.each([
      ['chrX2.dcm', ['王^小东', 'wang xiaodong', 'wangxiaodong', 'wxd', 'Wang^XiaoDong', '小东', 'xiaodong wang']],
      ['chrX1.dcm', ['王^小東', 'wxd', 'wang xiao']],
      ['cs_GBK.dcm', ['陈七', 'chenqi', 'cq', 'chen^qi']],
      ['cs_GB18030.dcm', ['李四', 'li si', 'lisi']],
      ['cs_default+ISO_2022_IR_58.dcm', ['王五', 'wangwu', 'ww']],
      ['cs_ISO_IR_192.dcm', ['王小明', 'wxm', 'nunez', 'zoe nuñez']],
      ['chrH31.dcm', ['山田', 'yamada', 'やまだ', 'ヤマダ たろう']],
      ['chrH32.dcm', ['山田^太郎', 'やまだ', 'ﾔﾏﾀﾞ']],
      ['chrI2.dcm', ['홍길동', '洪', 'hong gildong']],
      ['chrKoreanMulti.dcm', ['김희중', '김']],
      ['chrRuss.dcm', ['люкceмбypг', 'Люк']],
      ['chrGreek.dcm', ['ΔΙΟΝΥΣΙΟΣ', 'διον']],
      ['chrHbrw.dcm', ['שרון']],
      ['chrArab.dcm', ['قباني']],
      ['cs_ISO_IR_100.dcm', ['mueller', 'muller jurgen', 'Müller']],
      ['cs_ISO_IR_110.dcm', ['berzins janis']],
      ['cs_ISO_IR_148.dcm', ['yilmaz cagri']],
      ['cs_ISO_IR_166.dcm', ['สมชาย']],
    ] as const)('%s is found by each of %j', async (name, keys) => {
      const file = charsets.find((one) => one.file === `charset/${name}`);
      for (const key of keys) {
        const query = `PatientName=${encodeURIComponent(key)}&fuzzymatching=true&limit=200`;
        const found = await rows(`studies?${query}`);
        const uids = found.map((row) => row['0020000D']?.Value?.[0]);
        // Whatever it was stored in, it goes out as what it then is (PS3.18 F.2.1).
        for (const row of found) expect(row['00080005']?.Value).toEqual(['ISO_IR 192']);
        expect(uids, key).toContain(file?.StudyInstanceUID);
      }
      // Nobody else's name: a fuzzy search still tells people apart.
      expect((await rows('studies?PatientName=zzyzx&fuzzymatching=true')).length).toBe(0);
    });
  });
});
