import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  browserExpected,
  browserTestMs,
  type Misdeeds,
  openBrowser,
  openPage,
  picture,
  watch,
} from '../fixtures/browser.js';
import { mainScript, Running } from '../fixtures/command-line.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const inDemo = (path: string): string => fileURLToPath(new URL(`../../demo/${path}`, import.meta.url));

describe.skipIf(!browserExpected)('the playground of a loader', { timeout: browserTestMs }, () => {
  let browser: Browser;
  let loader: Running | null = null;
  let page: Page;
  let misdeeds: Misdeeds;

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  afterEach(async () => {
    await page.context().close();
    const code = await loader?.stop();
    loader = null;
    expect(misdeeds).toEqual({ foreign: [], errors: [] });
    expect(code).toBe(0);
  });

  /** Serves a demo, and opens its page. */
  async function open(folder: string, config: string): Promise<void> {
    const settings = ['--set', 'svcName.port=0', '--set', 'http.listen=127.0.0.1:0'];
    loader = new Running(process.execPath, [mainScript, 'serve', '-c', config, ...settings], folder);
    const { origin } = new URL(await loader.printed(/HTTP {2}(http:\S+)/));
    page = await openPage(browser);
    misdeeds = watch(page, origin);
    await page.goto(`${origin}/`);
    await page.locator('#run:enabled').waitFor();
  }

  const outcome = async (): Promise<string | null> => {
    await page.locator('.summary:is(.good, .bad)').waitFor();
    return page.locator('#summary').textContent();
  };

  it.each(['7-0.png', '3-1.png'])('shows which digit is on %s, from a C engine', async (file) => {
    await open(root, inDemo('digits/aiges.toml'));
    await page.locator('#input-0').setInputFiles(inDemo(`digits/samples/${file}`));
    await page.locator('#run').click();
    expect(await outcome()).toMatch(/^Answered in /);
    expect(await page.locator('.output .tree').innerText()).toContain(`digit: ${file[0] ?? ''}\n`);
    await page.locator('#sending').selectOption('JSON with base64');
    await page.locator('#run').click();
    expect(await outcome()).toMatch(/^Answered in /);
    expect(await page.locator('.output .tree').innerText()).toContain(`digit: ${file[0] ?? ''}\n`);
    await picture(page, 'demo-digits');
  });

  it('says what is wrong with an image that is none', async () => {
    await open(root, inDemo('digits/aiges.toml'));
    await page.locator('#input-0').setInputFiles(inDemo('digits/README.md'));
    await page.locator('#run').click();
    expect(await outcome()).toMatch(/^Failed with code \d+$/);
    expect(await page.locator('.failure .message').textContent()).not.toBe('');
  });

  it('shows the levels of a sound one after another, and where somebody spoke', async () => {
    await open(inDemo('audio-level'), 'aiges.toml');
    expect(await page.locator('input[value=stream]').isChecked()).toBe(true);
    await page.locator('#input-0').setInputFiles(inDemo('audio-level/speech.pcm'));
    await page.locator('#speed').fill('32000');
    // Seen from inside the page: by the time that we are told, everything may have been sent.
    await page.evaluate(`(() => {
      const answer = document.querySelector('#answer');
      new MutationObserver(() => {
        if (!/^StateSending/.test(answer.querySelector('dl')?.textContent)) return;
        globalThis.resultsWhileSending = answer.querySelectorAll('.results li').length;
      }).observe(answer, { childList: true, subtree: true });
    })()`);
    await page.locator('#run').click();
    const rows = page.locator('.results li');
    const packets = Math.ceil(readFileSync(inDemo('audio-level/speech.pcm')).length / 3200);
    expect(await outcome()).toMatch(new RegExp(`^${String(packets + 1)} results in `));
    expect(await page.evaluate('globalThis.resultsWhileSending')).toBeGreaterThan(3);
    expect(await rows.first().innerText()).toMatch(/level\s+\{"mean":-?[\d.]+,"peak":-?[\d.]+,"speaking":\w+\}/);
    expect(await rows.last().innerText()).toMatch(/speech\s+\{"length":6\d{3},"segments":\[/);
    await picture(page, 'demo-audio-level');
  });

  it('says at once that a parameter of a stream is out of its range', async () => {
    await open(inDemo('audio-level'), 'aiges.toml');
    await page.locator('#input-0').setInputFiles(inDemo('audio-level/speech.pcm'));
    await page.locator('#param-1').fill('7');
    await page.locator('#run').click();
    expect(await outcome()).toBe('Something in the form is missing or wrong.');
    expect(await page.locator('#param-1-fault').textContent()).not.toBe('');
  });

  it('leads to the reference, which loads nothing from elsewhere', async () => {
    await open(inDemo('audio-level'), 'aiges.toml');
    await page.getByRole('link', { name: 'API reference' }).click();
    await page.locator('[data-path^="/v1/private/"]').first().waitFor();
  });
});
