import { describe, expect, it } from 'vitest';
import { compare } from '../../../bench/compare.js';
import { fillDocument } from '../../../bench/document.js';
import { failures, figuresOf, rowTable, unrest } from '../../../bench/figures.js';
import { parseReport, type Report, type Result, type Round } from '../../../bench/report.js';
import { parseRow } from '../../../bench/rows.js';
import { renderMarkdown, renderText } from '../../../bench/tables.js';
import { targetTable } from '../../../bench/targets.js';

const round = (rate: number, changes: Partial<Round> = {}): Round => ({
  calls: rate,
  seconds: 1,
  cpuSeconds: 0.5,
  p50: 100,
  p99: 900,
  ...changes,
});

function result(contender: string, rates: readonly number[], changes: Partial<Result> = {}): Result {
  return {
    contender,
    serverCommand: `start ${contender}`,
    clientCommand: `load ${contender}`,
    notes: '',
    failed: null,
    rounds: rates.map((rate) => round(rate)),
    memory: { peak: 100 << 20, after: 50 << 20 },
    ...changes,
  };
}

function report(rows: Readonly<Record<string, readonly Result[]>>): Report {
  return {
    version: 1,
    startedAt: '2026-01-02T03:04:05.000Z',
    commit: 'abcdef0123',
    dirty: false,
    machine: {
      cpu: 'A CPU',
      cores: 2,
      memoryBytes: 24 * 2 ** 30,
      kernel: '6.1',
      node: 'v20.20.2',
      h2load: 'h2load nghttp2/1.52.0',
      nghttpd: null,
    },
    seconds: 3,
    rounds: 3,
    cores: { server: 0, client: 1 },
    absent: [{ name: 'nghttpd', reason: 'not installed' }],
    rows: Object.entries(rows).map(([id, results]) => ({ row: parseRow(id), results })),
    weather: { loadBefore: 0.5, loadAfter: 1.5, stolen: 0.02 },
  };
}

const failed = (name: string): Result => result(name, [], { failed: 'answers were short', memory: null });

describe('parseReport', () => {
  it.each([
    ['{', /no JSON/],
    ['null', /expected a result file/],
    ['{"version":2,"rows":[]}', /expected a result file of npm run bench, version 1/],
    ['{"version":1}', /expected a result file/],
  ])('refuses %s and names the file', (text, fault) => {
    expect(() => parseReport(text, 'some.json')).toThrow(fault);
    expect(() => parseReport(text, 'some.json')).toThrow(/^some\.json: /);
  });

  it('gives back what was written', () => {
    const written = report({ '32B-8': [result('nghttpd', [1])] });
    expect(parseReport(JSON.stringify(written), 'f')).toEqual(written);
  });
});

describe('the table of a row', () => {
  it('shows a failure as one, and no ratio to it', () => {
    const { rows } = report({ '32B-8': [result('loader wire', [300]), failed('bare grpc-js')] });
    const [row] = rows;
    if (row === undefined) throw new Error('there is one row');
    expect(rowTable(row).body.map((cells) => cells.slice(0, 4))).toEqual([
      ['loader wire', '300', '–', '–'],
      ['bare grpc-js', 'FAILED'],
    ]);
    expect(failures(row)).toEqual(['bare grpc-js FAILED: answers were short']);
    expect(renderText(rowTable(row))).toMatch(/^ {2}bare grpc-js +FAILED$/m);
  });

  it('has medians, and ratios round by round', () => {
    const loader = result('loader wire', [300, 30, 310]);
    const { rows } = report({ '32B-8': [loader, result('bare grpc-js', [100, 10, 100])] });
    const figures = figuresOf(loader);
    expect(figures).toMatchObject({ rate: 300, busy: 0.5, p50: 100, p99: 900 });
    expect(figures.spread).toBeCloseTo(280 / 300);
    expect(figures.cpu).toBeCloseTo(0.5e6 / 300);
    const [row] = rows;
    expect(row === undefined ? [] : rowTable(row).body[0]).toEqual([
      ...['loader wire', '300', '3.00', '–', '93 %', '1,667', '50 %', '100', '900', '100', '50'],
    ]);
  });

  it('compares workers with the C engine behind the same server, when there are any', () => {
    const { rows } = report({
      '32B-8': [
        ...[result('loader wire', [300, 30, 300]), result('loader wire, TypeScript', [150, 15, 160])],
        ...[failed('loader grpc-js'), result('loader grpc-js, TypeScript', [10]), result('bare grpc-js', [100])],
      ],
      '32B-1': [result('loader wire', [1])],
    });
    const cellsOf = (index: number): string[] => {
      const row = rows[index];
      if (row === undefined) throw new Error(`there is no row ${index}`);
      const { head, body } = rowTable(row);
      const column = head.indexOf('× C engine');
      return column < 0 ? [] : body.map((cells) => `${String(cells[0])} ${String(cells[column])}`);
    };
    expect(cellsOf(0)).toEqual([
      'loader wire –',
      'loader wire, TypeScript 0.50',
      'loader grpc-js undefined',
      'loader grpc-js, TypeScript –',
      'bare grpc-js –',
    ]);
    expect(cellsOf(1)).toEqual([]);
  });

  it('is the same table in Markdown', () => {
    expect(renderMarkdown({ head: ['', 'n'], body: [['one', '1']] })).toBe(
      '|      |    n |\n| ---- | ---: |\n| one  |    1 |\n',
    );
  });
});

describe('targets', () => {
  const verdicts = (given: Report): Record<string, string> =>
    Object.fromEntries(
      targetTable(given, 'loader wire').body.map(([name = '', , found = '', verdict = '']) => [
        name,
        `${found} ${verdict}`,
      ]),
    );

  it('are not met by what was not measured, or failed', () => {
    const given = report({ '32B-8': [failed('loader wire'), result('bare grpc-js', [1])] });
    expect(Object.values(verdicts(given)).every((verdict) => verdict.endsWith('not measured'))).toBe(true);
    expect(Object.values(verdicts(given))).toHaveLength(13);
  });

  it('are met or missed by the ratio of the same run', () => {
    const given = report({
      '32B-8': [result('loader wire', [280]), result('bare grpc-js', [100]), result('nghttpd', [400])],
    });
    expect(verdicts(given)).toMatchObject({
      '32 B, 8 connections: rate against bare grpc-js': '2.80 met',
      '32 B, 8 connections: rate against nghttpd': '0.70 missed',
    });
  });

  it('are neither met nor missed by rounds that disagree', () => {
    const given = report({
      '32B-8': [result('loader wire', [100, 1000, 2000]), result('bare grpc-js', [100, 100, 100])],
    });
    expect(verdicts(given)).toMatchObject({ '32 B, 8 connections: rate against bare grpc-js': '10.00 too noisy' });
  });

  it('say what the ratio would be by CPU time alone', () => {
    const thrifty = { rounds: [round(100, { cpuSeconds: 0.1 })] };
    const given = report({ '32B-8': [result('loader wire', [], thrifty), result('bare grpc-js', [100])] });
    expect(targetTable(given, 'loader wire').body[0]?.slice(2)).toEqual(['1.00', 'missed', '5.00']);
  });

  it('hold for latency and memory as well', () => {
    const slow = { rounds: [round(10, { p50: 161 })] };
    const memory = { peak: 1400 << 20, after: 300 << 20 };
    const given = report({
      '32B-1': [result('loader wire', [], slow), result('nghttpd', [10])],
      '10MiB-64': [result('loader wire', [10], { memory })],
    });
    expect(verdicts(given)).toMatchObject({
      '32 B, 1 connection: p50 over nghttpd': '61.0 µs missed',
      '10 MiB, 64 connections: RSS peak': '1400 MiB met',
      '10 MiB, 64 connections: RSS 5 s after': '300 MiB missed',
    });
  });
});

describe('targets of a worker', () => {
  const worker = 'loader wire, TypeScript';
  const verdicts = (given: Report): string[] =>
    targetTable(given, 'loader wire')
      .body.filter(([name]) => name?.includes('worker'))
      .map((cells) => cells.join(' | '));

  it('are left out where no worker took part', () => {
    expect(verdicts(report({ '32B-8': [result('loader wire', [100])] }))).toEqual([]);
  });

  it('are not met by a worker without a C engine to compare it with, nor by one that failed', () => {
    const given = report({ '32B-8': [result(worker, [100])], '32B-1': [failed(worker), result('loader wire', [1])] });
    expect(verdicts(given)).toHaveLength(5);
    expect(verdicts(given).every((line) => line.includes('not measured'))).toBe(true);
  });

  it('are met or missed by rate and latency against the C engine behind the same server', () => {
    const given = report({
      '32B-8': [result('loader wire', [100]), result(worker, [40]), result('loader grpc-js', [1])],
      '1MiB-8': [result('loader wire', [100]), result(worker, [89])],
      '10MiB-4': [result('loader wire', [1, 100, 200]), result(worker, [1, 100, 200])],
      '32B-1': [result('loader wire', [100]), result(worker, [], { rounds: [round(10, { p50: 251 })] })],
    });
    expect(verdicts(given)).toEqual([
      '32 B, 8 connections: rate of a worker against the C engine | ≥ 0.40 | 0.40 | met | 0.40',
      '32 B, 8 connections × 8 streams: rate of a worker against the C engine | ≥ 0.40 | – | not measured | –',
      '1 MiB, 8 connections: rate of a worker against the C engine | ≥ 0.90 | 0.89 | missed | 0.89',
      '10 MiB, 4 connections: rate of a worker against the C engine | ≥ 0.90 | 1.00 | too noisy | 1.00',
      '32 B, 1 connection: p50 of a worker over the C engine | ≤ 150 µs | 151 µs | missed | ',
    ]);
  });
});

describe('unrest', () => {
  it('is mentioned when rounds disagree, and only then', () => {
    expect(unrest(report({ '32B-8': [result('a', [100, 110, 120]), failed('b')] }))).toBeNull();
    expect(unrest(report({ '32B-8': [result('a', [100, 110, 120]), result('b', [50, 100, 150])] }))).toContain(
      'In 1 of 2 results the rounds lie more than 30 % apart, up to 100 %',
    );
  });
});

describe('compare', () => {
  it('leaves out what only one of them has, and marks failures', () => {
    const before = report({ '32B-8': [result('loader wire', [100]), result('gone', [1])], '32B-1': [] });
    const after = report({ '32B-8': [failed('loader wire'), result('new', [1])], '1MiB-8': [result('nghttpd', [1])] });
    expect(compare(before, after).body.map((cells) => [cells[0], cells.at(-1)])).toEqual([
      ['32B-8 loader wire', 'FAILED'],
    ]);
  });

  it('tells a change from noise', () => {
    const before = report({ '32B-8': [result('steady', [100, 101, 102]), result('restless', [70, 100, 130])] });
    const after = report({ '32B-8': [result('steady', [150, 151, 152]), result('restless', [149, 150, 151])] });
    expect(compare(before, after).body.map((cells) => [cells[0], cells[1], cells.at(-1)])).toEqual([
      ['32B-8 steady', '1.50', 'faster'],
      ['32B-8 restless', '1.50', 'within noise'],
    ]);
    expect(compare(after, before).body[0]?.at(-1)).toBe('slower');
  });

  it('shows what is left of a change when the whole machine became slower', () => {
    const before = report({ '32B-8': [result('loader wire', [300]), result('bare grpc-js', [100])] });
    const after = report({ '32B-8': [result('loader wire', [150]), result('bare grpc-js', [50])] });
    expect(compare(before, after).body[0]?.slice(0, 3)).toEqual(['32B-8 loader wire', '0.50', '1.00']);
  });
});

describe('compare, for workers', () => {
  it('shows what became of the distance to the C engine', () => {
    const row = (engine: number, worker: number): Report =>
      report({ '32B-8': [result('loader wire', [engine]), result('loader wire, TypeScript', [worker])] });
    const { head, body } = compare(row(100, 40), row(200, 60));
    const column = head.indexOf('against C');
    expect(body.map((cells) => [cells[0], cells[column]])).toEqual([
      ['32B-8 loader wire', '–'],
      ['32B-8 loader wire, TypeScript', '0.75'],
    ]);
  });
});

describe('fillDocument', () => {
  const begin = '<!-- begin: generated by npm run bench -- --docs bench/results/reference.json -->';
  const end = '<!-- end: generated -->';
  const given = report({ '32B-8': [result('loader wire', [280]), failed('bare grpc-js')] });

  it.each(['', begin, `${end}\n${begin}`])('refuses a document without a place for the figures: %j', (document) => {
    expect(() => fillDocument(document, given)).toThrow(/expected a document with the lines/);
  });

  it('replaces what is between the lines, and nothing else', () => {
    const filled = fillDocument(`# Head\n\n${begin}\nold figures\n${end}\ntail\n`, given);
    expect(filled).toMatch(/^# Head\n\n<!-- begin/);
    expect(filled).toMatch(/<!-- end: generated -->\ntail\n$/);
    expect(filled).not.toContain('old figures');
    expect(filled).toContain('Measured on 2026-01-02 at commit abcdef0123:');
    expect(filled).toContain('- nghttpd: absent: not installed');
    expect(filled).toContain('### Targets: loader wire');
    expect(filled).toContain('- bare grpc-js FAILED: answers were short');
    expect(fillDocument(filled, given)).toBe(filled);
  });
});
