/** Who may import whom: the arrows of the architecture, and no others. */
const layer = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: to },
});

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '^src/(cli/main|index|testing|typescript)\\.ts$' },
      to: {},
    },
    {
      name: 'only-declared-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-dev', 'unknown', 'undetermined'] },
    },
    {
      name: 'only-what-npm-ci-installs',
      severity: 'error',
      from: { pathNot: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg'] },
    },
    layer('core-imports-nothing', '^src/core/', '^src/core/'),
    layer('config-imports-core', '^src/config/', '^src/(core|config|schema)/'),
    layer('observability-imports-core', '^src/observability/', '^src/(core|observability)/'),
    layer('data-imports-core', '^src/data/', '^src/(core|data)/'),
    layer('delivery-imports-core', '^src/delivery/', '^src/(core|delivery)/'),
    layer('engine-imports-core', '^src/engine/', '^src/(core|engine)/'),
    layer('sdk-imports-core', '^src/sdk/', '^src/(core|sdk)/'),
    layer('index-exports-the-sdk', '^src/index\\.ts$', '^src/(core|sdk)/'),
    layer('testing-drives-wrappers-and-their-engines', '^src/testing\\.ts$', '^src/(core|sdk|runtimes)/'),
    layer('runtimes-import-core', '^src/runtimes/', '^src/(core|runtimes|sdk)/'),
    layer('transports-import-engine', '^src/transports/', '^src/(core|engine|transports)/'),
    {
      name: 'transports-do-not-import-each-other',
      severity: 'error',
      from: { path: '^src/transports/(xsf|http|ws)/' },
      to: { path: '^src/transports/(?!$1/|json/|grpc/server\\.ts$)' },
    },
    layer(
      'host-builds-everything',
      '^src/host(/|\\.ts$)',
      '^src/(core|config|data|delivery|engine|host|runtimes|schema|transports|observability)/',
    ),
    {
      name: 'the-playground-stands-alone',
      severity: 'error',
      from: { path: '^playground/' },
      to: { pathNot: '^playground/' },
    },
    layer('schema-imports-core', '^src/schema/', '^src/(core|schema)/'),
    layer(
      'cli-imports-host',
      '^src/cli/',
      '^src/(cli|config|core|observability|schema)/|^src/(host|runtimes/load)\\.ts$',
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|build)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.js', '.json'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
