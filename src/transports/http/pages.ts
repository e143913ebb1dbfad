import type { FastifyInstance, FastifyPluginCallback } from 'fastify';

/** Serves Swagger UI at /docs, from files of the package alone. */
export function serveDocs(app: FastifyInstance, document: () => object): void {
  app.register(documentSource(document));
  app.register(import('@fastify/swagger-ui'), { routePrefix: '/docs', staticCSP: ownFilesOnly, uiConfig: {} });
}

/** The page loads nothing from elsewhere, whatever the document says. */
const ownFilesOnly =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

/** All that Swagger UI asks of the plugin @fastify/swagger, which makes documents from routes: a document. */
function documentSource(document: () => object): FastifyPluginCallback {
  const plugin: FastifyPluginCallback = (app, _options, done) => {
    app.decorate('swagger', document);
    done();
  };
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('plugin-meta')]: { name: '@fastify/swagger' },
  });
}
