import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  browserExpected,
  browserTestMs,
  type Misdeeds,
  openBrowser,
  openPage,
  picture,
  watch,
} from '../fixtures/browser.js';
import { runCommand } from '../fixtures/command-line.js';
import { eventually } from '../fixtures/eventually.js';
import { gate } from '../fixtures/fake-runtime.js';
import { focused, focusShows, lowContrast, overflow, unnamed } from '../fixtures/page-checks.js';
import { StandInLoader } from '../fixtures/playground-loader.js';
import { hostileText, hugeItems, sid, standInServices } from '../fixtures/playground-services.js';

const sample = fileURLToPath(new URL('../../demo/digits/samples/7-0.png', import.meta.url));
const speech = fileURLToPath(new URL('../../demo/audio-level/speech.pcm', import.meta.url));

interface Look {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
}

describe.skipIf(!browserExpected)('the playground in a browser', { timeout: browserTestMs }, () => {
  let browser: Browser;
  let loader: StandInLoader;
  let page: Page;
  let misdeeds: Misdeeds;
  /** Lets the stream of sound end. */
  let end = gate<undefined>();

  beforeAll(async () => {
    loader = await StandInLoader.start(standInServices(() => end.promise));
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await loader.stop();
  });
  beforeEach(async () => {
    end = gate<undefined>();
    page = await openPage(browser);
    misdeeds = watch(page, loader.url);
  });
  afterEach(async () => {
    await page.context().close();
    expect(misdeeds).toEqual({ foreign: [], errors: [] });
  });

  const summary = (): Locator => page.locator('#summary');
  const answer = (): Locator => page.locator('#answer');
  const run = async (): Promise<void> => {
    await page.locator('#run').click();
  };
  /** The text of the page's status line, once it is one of how something has ended. */
  const outcome = async (): Promise<string> => {
    await page.locator('.summary:is(.good, .bad)').waitFor();
    return (await summary().textContent()) ?? '';
  };

  const attributes = async (all: Locator, name: string): Promise<(string | null)[]> =>
    Promise.all((await all.all()).map((one) => one.getAttribute(name)));

  async function open(service: string, { scheme = 'light', width = 1440 }: Look = {}): Promise<void> {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    await page.goto(`${loader.url}#${encodeURIComponent(service)}`);
    await page.locator('#run:enabled').waitFor();
    expect(await page.locator('#service option:checked').textContent()).toBe(service);
  }

  describe('without an answer', () => {
    it('says that the services cannot be listed, and lists them when it is asked again', async () => {
      await page.route('**/openapi.json', (route) => route.abort(), { times: 1 });
      await page.goto(loader.url);
      await page.getByText('The services cannot be listed').waitFor();
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.locator('#run:enabled').waitFor();
    });

    it('says that nothing is served', async () => {
      await page.route('**/openapi.json', (route) => route.fulfill({ json: { paths: {} } }));
      await page.goto(loader.url);
      await page.getByText('The loader serves nothing.').waitFor();
      expect(await page.locator('#run').isDisabled()).toBe(true);
    });

    it('says that nobody answers', async () => {
      await open('raw');
      await page.route('**/raw', (route) => route.abort());
      await run();
      expect(await outcome()).toBe('There is no answer');
      await answer().getByText('Check that the loader is running').waitFor();
    });

    it.each([
      [
        'busy',
        'Failed with code 10110',
        ['Error 10110', 'no license available', 'Try again in 7 s', '429 Too Many Requests', sid],
      ],
      [
        'invalid',
        'Failed with code 10106',
        ['parameter.failing.how', 'the message names the value at fault', '400 Bad Request'],
      ],
      ['plugin', 'Failed with code 10909', ['wrapperExec failed: 42', 'log of the loader']],
      ['page', 'Failed with HTTP status 502', ['<h1>Bad gateway</h1>', 'not an answer of the loader']],
    ])('shows an error and what to do about it: %s', async (how, title, texts) => {
      await open('failing');
      await page.locator('#param-0').selectOption(how);
      await page.locator('#input-0').fill('x');
      await run();
      expect(await outcome()).toBe(title);
      const shown = await answer().innerText();
      for (const text of texts) expect(shown).toContain(text);
      if (how === 'busy') await picture(page, 'playground-error');
    });

    it('shows why a stream was refused', async () => {
      await open('failing');
      await page.getByText('Stream', { exact: true }).click();
      await page.locator('#input-0').fill('x');
      await run();
      expect(await outcome()).toBe('Failed with code 10110');
      expect(await answer().innerText()).toMatch(/no license available\s+Every licence is taken/);
    });

    it('stops waiting when it is told to, and the loader learns of it', async () => {
      await open('failing');
      await page.locator('#param-0').selectOption('never');
      await page.locator('#input-0').fill('x');
      await run();
      await page.locator('#stop').click();
      await eventually(() => summary().textContent()).toBe('Cancelled');
      await page.getByText('Stream', { exact: true }).click();
      await run();
      await page.getByText('Waiting for results').waitFor();
      await page.locator('#stop').click();
      await eventually(() => summary().textContent()).toBe('Stopped after 0 results');
      await eventually(() => loader.left).toBe(1);
      expect(await focused(page)).toBe('run');
    });

    it('says at each field what is wrong with it, and sends nothing', async () => {
      await open('kinds');
      const sent: string[] = [];
      page.on('request', (request) => sent.push(request.url()));
      await page.locator('#input-0').fill('x');
      await page.locator('#input-1').fill('{');
      await page.locator('#param-2').fill('11');
      await page.locator('#param-3').fill('1.5');
      await run();
      expect(await outcome()).toBe('Something in the form is missing or wrong.');
      const faulty = await attributes(page.locator('#fields [aria-invalid]'), 'id');
      expect(faulty).toEqual(['input-1', 'param-0', 'param-2', 'param-3']);
      expect(await page.locator('#input-1-fault').textContent()).toBe('This is not JSON.');
      expect(await focused(page)).toBe('input-1');
      expect(sent).toEqual([]);
    });
  });

  describe('with files', () => {
    it('uploads an image and shows the digit on it', async () => {
      await open('digits');
      await page.locator('#input-0').setInputFiles(sample);
      await page.getByAltText('Preview of 7-0.png').waitFor();
      await run();
      expect(await outcome()).toMatch(/^Answered in /);
      const shown = await answer().innerText();
      expect(shown).toMatch(/digit: 7\n/);
      expect(shown).toContain('200 OK');
      expect(shown).toContain(sid);
      expect(shown).toContain('multipart/form-data');
    });

    it('sends the same as JSON, and the attributes that were changed', async () => {
      await open('digits');
      await page.locator('#input-0').setInputFiles(sample);
      await page.getByText('Attributes of img').click();
      await page.getByLabel('encoding').fill('pgm');
      await run();
      await outcome();
      expect(await answer().innerText()).toMatch(/digit: 7\n[^]*"pgm"[^]*multipart/);
      await page.locator('#sending').selectOption('JSON with base64');
      await run();
      await answer().getByText('"application/json"', { exact: true }).waitFor();
      expect(await answer().innerText()).toMatch(/digit: 7\n[^]*"pgm"/);
    });

    it('takes a file that is dropped, and gives it up again', async () => {
      await open('digits');
      const dropped = await page.evaluateHandle(
        `(() => { const transfer = new DataTransfer(); transfer.items.add(new File(['no image'], 'dropped.png')); return transfer; })()`,
      );
      await page.locator('.drop').dispatchEvent('drop', { dataTransfer: dropped });
      expect(await page.locator('#curl').textContent()).toContain('-F img=@dropped.png');
      await run();
      expect(await outcome()).toBe('Failed with code 10106');
      await page.getByRole('button', { name: 'Remove' }).click();
      expect(await focused(page)).toBe('input-0');
      await run();
      await page.getByText('Choose a file.').waitFor();
    });

    it('shows images and plays sound, whatever they are called, and offers everything else for download', async () => {
      await open('kinds');
      await page.locator('#param-0').selectOption("it's");
      await page.locator('#param-3').fill('3');
      await page.locator('#param-4').check();
      await page.locator('#input-0').fill('grüße');
      await page.locator('#input-1').fill('{"a":[1]}');
      await page.locator('#input-2').setInputFiles(speech);
      await run();
      await outcome();
      const shown = await answer().innerText();
      expect(shown).toContain('grüße\n{"a":[1]}');
      for (const line of [`lang: "it's"`, 'count: 3', 'loud: true', `extra: ${String(readFileSync(speech).length)}`]) {
        expect(shown).toContain(line);
      }
      expect(shown).not.toContain('prefix');
      await eventually(() => page.evaluate(`document.querySelector('#answer img').naturalWidth`)).toBe(120);
      await eventually(() => page.evaluate(`document.querySelector('#answer audio').duration`)).toBeCloseTo(0.1);
      const saving = page.waitForEvent('download');
      await page.getByText('Download file.bin (4.9 KiB)').click();
      const saved = await saving;
      expect(saved.suggestedFilename()).toBe('file.bin');
      expect(readFileSync(await saved.path())).toEqual(Buffer.alloc(5000, 7));
    });
  });

  describe('with a service that nobody has described', () => {
    it('sends the request as it is written, with an input of any name', async () => {
      await open('raw');
      await page.locator('#raw-request').fill('{"parameter": {"raw": {"a": [1]}}}');
      await page.locator('#generic-name').fill('line');
      await page.locator('#generic-data').fill('hello');
      await run();
      await outcome();
      expect(await answer().innerText()).toMatch(/a:\s+\[ 1 item \]\s+0: 1\s+inputs:\s+\{ 1 member \}\s+line: "hello"/);
    });

    it('sends a file as what it is said to be', async () => {
      await open('raw');
      await page.locator('#generic-type').selectOption('video');
      await page
        .locator('#generic-data')
        .setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('hi') });
      expect(await page.locator('#curl').textContent()).toContain('"data":{"video":"');
      await run();
      await outcome();
      expect(await answer().innerText()).toContain('data: "hi"');
    });

    it('refuses what is no request', async () => {
      await open('raw');
      await page.locator('#raw-request').fill('[]');
      await run();
      await page.getByText('This is not a JSON object.').waitFor();
      await page.locator('#raw-request').fill('{}');
      await page.locator('#generic-data').fill('x');
      await page.locator('#generic-name').fill('');
      await run();
      await page.getByText('An input needs a name.').waitFor();
    });
  });

  describe('with streams', () => {
    it('shows results as they come, and how much has been sent', async () => {
      await open('audio-level');
      await page.locator('#input-0').setInputFiles(speech);
      await page.locator('#speed').fill('1000000');
      await run();
      const packets = Math.ceil(readFileSync(speech).length / 3200);
      const rows = page.locator('.results li');
      await eventually(() => rows.count()).toBe(packets);
      // The last one is held back: what is shown came before the end.
      await eventually(() => page.locator('dl').innerText()).toMatch(
        /State\s+Waiting for results\s+Sent\s+99 KiB of 99 KiB/,
      );
      expect(await rows.first().innerText()).toMatch(
        /^\+[\d.]+ m?s\s+begin\s+level\s+\{"mean":-[\d.]+,"speaking":\w+\}$/,
      );
      end.open(undefined);
      expect(await outcome()).toMatch(new RegExp(`^${String(packets + 1)} results in `));
      // The newest is in sight.
      await eventually(() =>
        page.evaluate(
          `(() => { const { scrollTop, scrollHeight, clientHeight } = document.querySelector('.scroller'); return scrollTop > 0 && scrollHeight - scrollTop - clientHeight < 2; })()`,
        ),
      ).toBe(true);
      expect(await rows.last().innerText()).toMatch(/end\s+speech\s+\{"length":6000/);
    });

    it('sends sound at the speed that was chosen, until it is stopped', async () => {
      await open('audio-level');
      await page.locator('#input-0').setInputFiles(speech);
      await page.locator('#speed').fill('1');
      await run();
      await eventually(() => page.locator('.results li').count()).toBe(1);
      // At one byte a second, the second packet is an hour away.
      expect(await page.locator('dl').innerText()).toMatch(/Sent\s+3.1 KiB of 99 KiB\s+Packets\s+1/);
      const left = loader.left;
      await page.locator('#stop').click();
      await eventually(() => summary().textContent()).toBe('Stopped after 1 result');
      await eventually(() => loader.left).toBe(left + 1);
    });

    it('sends text line by line, and joins sound that comes in pieces', async () => {
      await open('kinds');
      await page.getByText('Stream', { exact: true }).click();
      await page.locator('#param-0').selectOption('en');
      await page.locator('#param-3').fill('1');
      await page.locator('#input-0').fill('one\ntwo\nthree\n');
      await page.locator('#pace').selectOption('fast');
      await run();
      expect(await outcome()).toMatch(/^3 results in /);
      expect((await page.locator('.results code').allTextContents()).join()).toBe('one,two,three');
      const saving = page.waitForEvent('download');
      await page.locator('.output').getByText('Download sound').click();
      expect(readFileSync(await (await saving).path()).length).toBe(3 * 1600);
    });

    it('leaves a stream behind when another service is chosen', async () => {
      await open('audio-level');
      await page.locator('#input-0').setInputFiles(speech);
      await run();
      await page.locator('.results li').first().waitFor();
      const left = loader.left;
      await page.locator('#service').selectOption('digits');
      await eventually(() => loader.left).toBe(left + 1);
      await page.locator('#input-0').setInputFiles(sample);
      await eventually(() => page.locator('#stop').isHidden()).toBe(true);
      await run();
      expect(await outcome()).toMatch(/^Answered/);
    });
  });

  describe('with the keyboard alone', () => {
    it('goes to every control, shows where it is, and leaves the page again', async () => {
      await open('kinds');
      await page.locator('#param-0').selectOption('en');
      await page.locator('#param-3').fill('1');
      await page.locator('#input-0').fill('x');
      await run();
      await outcome();
      for (let n = 0; n < 60 && (await focused(page)) !== 'page'; n++) await page.keyboard.press('Tab');
      const stops: string[] = [];
      await page.keyboard.press('Tab');
      for (let n = 0; n < 60 && (await focused(page)) !== 'page'; n++) {
        stops.push(await focused(page));
        expect([stops.at(-1), await focusShows(page)]).toEqual([stops.at(-1), true]);
        await page.keyboard.press('Tab');
      }
      expect(await focused(page)).toBe('page');
      const expected = [
        'Skip to the answer',
        'API reference',
        'service',
        'input-0',
        'input-2',
        'param-0',
        'param-4',
        'run',
        'curl',
        'typescript',
      ];
      expect(stops.filter((stop) => expected.includes(stop))).toEqual(expected);
    });

    it('chooses a service and a file, runs, and reads the answer', async () => {
      await open('kinds');
      const tabTo = async (id: string): Promise<void> => {
        for (let n = 0; n < 60 && (await focused(page)) !== id; n++) await page.keyboard.press('Tab');
        expect(await focused(page)).toBe(id);
      };
      await tabTo('service');
      await page.keyboard.type('digits');
      await page.getByText('/v1/private/digits', { exact: true }).waitFor();
      await tabTo('input-0');
      const choosing = page.waitForEvent('filechooser');
      await page.keyboard.press('Space');
      await (await choosing).setFiles(sample);
      await page.keyboard.press('Control+Enter');
      expect(await outcome()).toMatch(/^Answered/);
      for (let n = 0; n < 20 && (await focused(page)) !== 'Whole answer'; n++) await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await answer().getByText('"6f1d2c9e').waitFor();
    });
  });

  describe('for everybody', () => {
    it.each([
      ['light', 1440],
      ['dark', 1440],
      ['light', 360],
      ['dark', 360],
    ] as const)('is readable and fits: %s, %i pixels wide', async (scheme, width) => {
      const check = async (name: string): Promise<void> => {
        if (name !== '') await picture(page, `playground-${name}-${scheme}-${width === 360 ? 'phone' : 'desktop'}`);
        expect(await lowContrast(page)).toEqual([]);
        expect(await unnamed(page)).toEqual([]);
        expect(await overflow(page)).toBe(0);
      };
      await open('digits', { scheme, width });
      await check('empty');
      await page.locator('#input-0').setInputFiles(sample);
      await run();
      await outcome();
      await check('once');
      end.open(undefined);
      await page.locator('#service').selectOption('audio-level');
      await page.locator('#input-0').setInputFiles(speech);
      await page.locator('#speed').fill('1000000');
      await run();
      await outcome();
      await check('stream');
      await page.locator('#service').selectOption('kinds');
      await run();
      await check('');
      await page.locator('#service').selectOption('raw');
      await check('');
      await page.locator('#service').selectOption(hostileText);
      await run();
      await check('');
    });

    it('links to the reference and to the document', async () => {
      await open('digits');
      const links = page.getByRole('navigation').getByRole('link');
      expect(await attributes(links, 'href')).toEqual(['docs', 'openapi.json']);
    });
  });

  describe('with what is hostile', () => {
    it('shows names and answers as the text that they are', async () => {
      await open(hostileText);
      expect(await page.locator('label[for=input-0]').textContent()).toBe(`${hostileText} (required)`);
      expect(await page.locator('#param-0').inputValue()).toBe(hostileText);
      await page.locator('#input-0').fill(hostileText);
      await run();
      expect(await outcome()).toMatch(/^Answered/);
      const shown = await answer().innerText();
      expect(shown.split(hostileText).length - 1).toBeGreaterThanOrEqual(4);
      // Nothing of it became an element.
      expect(await page.locator('#answer :is(img, script, iframe, svg, object)').count()).toBe(0);
      expect(await page.locator('body script').count()).toBe(0);
      await page.locator('#answer details.raw').click();
      const names = await attributes(page.locator('a.download'), 'download');
      expect(names.length).toBeGreaterThan(1);
      for (const name of names) expect(name).toMatch(/^[\w.-]+$/);
    });

    it('may not run what the policy of the page forbids', async () => {
      await open('digits');
      await page.evaluate(`(() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
      })()`);
      expect(await page.evaluate('window.ran')).toBeUndefined();
      await eventually(() => misdeeds.errors.join()).toMatch(/Content Security Policy/);
      misdeeds.errors.splice(0);
    });

    it('shows an answer of ten megabytes in pieces', async () => {
      await open('huge');
      await run();
      expect(await outcome()).toMatch(/^Answered/);
      const elements = (): Promise<number> => page.evaluate<number>(`document.querySelectorAll('*').length`);
      expect(await elements()).toBeLessThan(2000);
      await answer()
        .getByText(`[ ${String(hugeItems)} items ]`)
        .waitFor();
      await page.getByRole('button', { name: `Show 100 more of ${String(hugeItems - 100)}` }).click();
      await answer().getByText('199:').waitFor();
      const text = page.locator('.text').last();
      expect((await text.textContent())?.length).toBe(20_000);
      await page.getByRole('button', { name: 'Show all' }).last().click();
      expect((await text.textContent())?.length).toBe(5_000_000);
    });
  });

  describe('its snippets', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'aiges-snippets-'));
    });
    afterEach(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    const snippet = async (id: 'curl' | 'typescript'): Promise<string> =>
      (await page.locator(`#${id}`).textContent()) ?? '';

    async function runCurl(): Promise<string> {
      writeFileSync(join(folder, 'curl.sh'), await snippet('curl'));
      const { stdout } = await runCommand('sh', ['curl.sh'], folder);
      return stdout;
    }

    /** Runs the TypeScript snippet as JavaScript; gives what it prints. */
    async function runModule(code: string): Promise<string> {
      const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
      writeFileSync(join(folder, 'snippet.mjs'), ts.transpileModule(code, { compilerOptions }).outputText);
      // What Node.js 22 has without being asked.
      const flags = ['--no-warnings', '--experimental-websocket'];
      const ended = await runCommand(process.execPath, [...flags, 'snippet.mjs'], folder);
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      return ended.stdout;
    }

    /** Sends what the form says; expects that both snippets get the same answer. */
    async function expectTheSame(): Promise<void> {
      const responding = page.waitForResponse((response) => response.request().method() === 'POST');
      await run();
      const given = (await (await responding).json()) as { header: { code: number }; payload: unknown };
      expect(given.header.code).toBe(0);
      expect(JSON.parse(await runCurl())).toEqual(given);
      const module = (await snippet('typescript')).replace(
        'console.log(payload)',
        'console.log(JSON.stringify(payload))',
      );
      expect(JSON.parse(await runModule(module))).toEqual(given.payload);
    }

    it('send what the form says, as it changes', async () => {
      await open('kinds');
      await page.locator('#param-0').selectOption("it's");
      await page.locator('#param-1').fill(`"; $(x)`);
      await page.locator('#param-3').fill('3');
      await page.locator('#input-0').fill(`don't "quote" \\ $HOME \`x\` grüße`);
      await page.locator('#input-1').fill('{"a": [1, "it\'s"]}');
      await expectTheSame();
      await page.locator('#param-4').check();
      await expectTheSame();
    });

    it.each(['7-0.png', `it's; "a",\\ $(b) é.png`, '-X.png'])('send a file that is called %s', async (name) => {
      const file = join(folder, name);
      copyFileSync(sample, file);
      await open('digits');
      await page.locator('#input-0').setInputFiles(file);
      await expectTheSame();
      await page.getByText('Attributes of img').click();
      await page.getByLabel('encoding').fill('x;y=@z');
      await expectTheSame();
      await page.locator('#sending').selectOption('JSON with base64');
      await expectTheSame();
    });

    it('send a text that is longer than an argument may be', async () => {
      await open('raw');
      await page.locator('#generic-data').fill('grüße '.repeat(50_000));
      await expectTheSame();
    });

    it('do nothing that a hostile service wants', async () => {
      await open(hostileText);
      await page.locator('#input-0').fill(hostileText);
      await page.locator('#param-0').fill(`${hostileText}!`);
      await expectTheSame();
      expect(existsSync(join(folder, 'pwned'))).toBe(false);
    });

    it('are copied to the clipboard', async () => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await open('raw');
      await page.getByRole('button', { name: 'Copy curl' }).click();
      await page.getByText('Copied').waitFor();
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(await snippet('curl'));
    });

    it('stream the same file', async () => {
      copyFileSync(speech, join(folder, basename(speech)));
      end.open(undefined);
      await open('audio-level');
      await page.locator('#input-0').setInputFiles(speech);
      await page.locator('#speed').fill('1000000');
      await run();
      await outcome();
      const shown = await page.locator('.results code').allTextContents();
      const printed = await runModule(await snippet('typescript'));
      for (const text of shown) expect(printed).toContain(text);
      expect(printed.match(/"level"/g)).toHaveLength(shown.length - 1);
      expect(printed).toMatch(/closed 1000 \n$/);
    });
  });
});
