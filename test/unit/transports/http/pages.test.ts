import { describe, expect, it } from 'vitest';
import { setup } from '../../../fixtures/http-server.js';

describe('/docs', () => {
  it('is not there without ui', async () => {
    const { app } = await setup(() => []);
    expect((await app.inject('/docs')).statusCode).toBe(404);
    expect((await app.inject('/openapi.json')).statusCode).toBe(200);
  });

  it('is a page about the document that asks nobody else for anything', async () => {
    const { app } = await setup(() => [], {
      ui: true,
      document: () => ({ openapi: '3.1.0', info: { title: 'mine' } }),
    });
    for (const url of ['/docs', '/docs/']) {
      const page = await app.inject(url);
      expect(page.statusCode).toBe(200);
      expect(page.headers['content-type']).toMatch(/^text\/html/);
      expect(page.headers['content-security-policy']).toMatch(/default-src 'none'/);
      expect(page.headers['content-security-policy']).not.toMatch(/http|upgrade/);
      const links = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link);
      expect(links.length).toBeGreaterThan(4);
      for (const link of links) {
        const file = await app.inject(new URL(link, `http://loader${url}`).pathname);
        expect([link, file.statusCode]).toEqual([link, 200]);
      }
    }
    expect((await app.inject('/docs/json')).json()).toMatchObject({ info: { title: 'mine' } });
    const start = await app.inject('/docs/static/swagger-initializer.js');
    expect(start.body).toContain('validatorUrl: null');
  });
});
