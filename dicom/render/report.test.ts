import { describe, expect, it } from 'vitest';
import type { DicomJson } from '../json/json-object.js';
import { reportHtml, reportOf, reportText } from './report.js';

const st = (vr: string, ...Value: unknown[]) => ({ vr, Value });
const concept = (meaning: string) => ({ '0040A043': st('SQ', { '00080104': st('LO', meaning) }) });
const item = (type: string, name: string, rest: DicomJson = {}): DicomJson => ({
  '0040A040': st('CS', type),
  ...concept(name),
  ...rest,
});

const REPORT: DicomJson = {
  ...item('CONTAINER', 'Chest CT'),
  '00100010': st('PN', { Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小东' }),
  '00080020': st('DA', '20260102'),
  '0040A730': st(
    'SQ',
    item('CONTAINER', 'Findings', {
      '0040A730': st(
        'SQ',
        item('TEXT', 'Finding', { '0040A160': st('UT', 'a <b>nodule</b>\r\nof 7 mm') }),
        item('NUM', 'Diameter', {
          '0040A300': st('SQ', { '0040A30A': st('DS', 7.2), '004008EA': st('SQ', { '00080100': st('SH', 'mm') }) }),
        }),
        item('CODE', 'Side', { '0040A168': st('SQ', { '00080104': st('LO', 'Left') }) }),
        item('IMAGE', 'Source', {
          '00081199': st('SQ', { '00081155': st('UI', '1.2.3'), '00081160': st('IS', 2, 3) }),
        }),
      ),
    }),
    item('PNAME', 'Observer', { '0040A123': st('PN', { Alphabetic: 'Doe^Jane' }) }),
  ),
};

describe('reports', () => {
  it('reads every kind of content item as text', () => {
    expect(reportText(reportOf(REPORT)).split('\n')).toEqual([
      'Chest CT',
      '',
      'Patient: Wang XiaoDong 王 小东',
      'Study: 2026-01-02',
      '',
      'Findings',
      '  Finding: a <b>nodule</b>\r',
      'of 7 mm',
      '  Diameter: 7.2 mm',
      '  Side: Left',
      '  Source: instance 1.2.3, frame 2, 3',
      'Observer: Doe Jane',
      '',
    ]);
  });

  it('escapes all of it as HTML, and keeps its lines', () => {
    const html = reportHtml(reportOf(REPORT));
    expect(html).toContain('<h2>Findings</h2>');
    expect(html).toContain('a &lt;b&gt;nodule&lt;/b&gt;<br>of 7 mm');
    expect(html).not.toMatch(/<b>|<script|src=|href=/);
  });

  it('stays bounded: by depth, and by items', () => {
    let deep: DicomJson = item('TEXT', 'end', { '0040A160': st('UT', 'x') });
    for (let level = 0; level < 200; level++) deep = item('CONTAINER', 'c', { '0040A730': st('SQ', deep) });
    expect(reportText(reportOf(deep))).toContain('more items than are shown');
    const wide = { '0040A730': st('SQ', ...Array.from({ length: 30_000 }, () => item('TEXT', 'x'))) };
    expect(reportOf(wide)).toMatchObject({ title: 'Report', cut: true, lines: { length: 20_000 } });
    expect(reportText(reportOf({}))).toBe('Report\n\n\n');
  });
});
