/** The address of every page, by a name for its picture. */
export const everyPage: Record<string, string> = {
  map: '/',
  embed: '/embed',
  yandex: '/yandex',
  people: '/people',
  person: '/people?user=anna',
  repositories: '/repositories',
  unused: '/repositories?sort=unused',
  repository: '/repositories?name=elk/elasticsearch',
  stack: '/stack',
  completed: '/stack?with=elk/elasticsearch',
  digest: `/repositories?digest=sha256:${'a'.repeat(64)}`,
  setup: '/setup',
  health: '/health',
  alerts: '/alerts',
  models: '/models',
};
