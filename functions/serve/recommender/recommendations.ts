import { createHash } from 'node:crypto';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Pull, taughtClasses } from '#core/event.ts';
import type { Card } from '#core/recommender/model-list.ts';
import { followedWithinDays, withShown } from '#core/recommender/shown.ts';
import { registryOf } from '#core/registry/name.ts';
import { type EventStore, type PulledDays, type SearchStore, StoreUnavailable } from '#core/stores.ts';
import { notFound, wrongParameter } from '#http/errors.ts';
import { error, failures, iso, json, jsonBody, limit, name, router, userName } from '../parameters.ts';
import { type Registries, registriesOf, registry, registryShown } from '../registries.ts';
import { catalogueSource, sharedBy } from '../registry/catalogue.ts';
import type { ModelSource } from './models.ts';
import { isSupported, recommend } from './recommend.ts';

export interface RecommendationOptions {
  events: EventStore;
  search: SearchStore;
  models: ModelSource;
  registries?: Registries;
  clock: () => number;
  report: (cause: unknown) => void;
}

/** How many of the newest pulls a request reads. */
const newestPulls = 500;
/** From how many distinct repositories, newest first, a list is made. */
const mostRepositories = 500;
const dayMs = 86_400_000;

const item = z
  .object({
    repository: z.string(),
    registry: registryShown,
    score: z.number(),
    source: z.enum(['als', 'knn', 'ease', 'blend', 'similar', 'trending', 'popular']),
    pulledBy: z.int().openapi({ description: 'How many other users pulled it, themselves or with a cluster' }),
    because: z.array(z.object({ repository: z.string(), registry: registryShown, share: z.number() })).openapi({
      description:
        "The user's own pulls that add most to the score, each with its share; the shares add up to at most 1",
    }),
  })
  .openapi('Recommendation');
const listSchema = z.object({
  id: z.string().openapi({ description: 'The id of this list; the same list has the same id' }),
  user: z.string().optional(),
  model: z.object({ id: z.string(), trainedAt: z.iso.datetime() }).nullable(),
  items: z.array(item),
  note: z.string().optional().openapi({ description: 'Why no item comes from the model' }),
  partial: z.literal(true).optional().openapi({
    description:
      'The search store is down: the list is made only from the model and the newest pulls, with the last known counts of others',
  }),
});

export const forUser = createRoute({
  method: 'get',
  path: '/v1/recommendations',
  summary: 'What a user will want next, based on their pulls up to the newest',
  request: {
    query: z.object({
      user: userName,
      registry,
      limit: limit(10, 100),
      exclude: z
        .union([z.string(), z.array(z.string())])
        .optional()
        .openapi({
          type: 'string',
          description: 'Repositories to leave out: separated by commas, or as repeated parameters',
        }),
    }),
  },
  responses: { 200: json(listSchema, 'Recommendations'), ...failures },
});

const bodyExample = '{"repositories": ["team/app"]}';
const names = (least: number) => {
  const wrongName = { error: 'must be a name of 1 to 1024 characters' };
  const wrongCount = {
    error: ({ input }: { input?: unknown }) => `must have ${least} to 1000 names, not ${(input as unknown[]).length}`,
  };
  return z
    .array(z.string(wrongName).min(1, wrongName).max(1024, wrongName), {
      error: ({ input }) => `${input === undefined ? 'send' : 'must be a list, such as'} ${bodyExample}`,
    })
    .min(least, wrongCount)
    .max(1000, wrongCount);
};
const wrongLimit = { error: 'must be an integer from 1 to 100' };

export const forList = createRoute({
  method: 'post',
  path: '/v1/recommendations',
  summary: 'Complete my stack: recommendations for a list of repositories',
  middleware: jsonBody(bodyExample),
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.object(
            {
              repositories: names(1),
              registry,
              limit: z.int(wrongLimit).min(1, wrongLimit).max(100, wrongLimit).default(10),
              exclude: names(0).default([]),
            },
            { error: `the body is not an object: send ${bodyExample}` },
          ),
        },
      },
    },
  },
  responses: {
    200: json(
      listSchema.extend({
        unknown: z.array(z.string()).openapi({ description: 'Names in the list that no user pulled here' }),
      }),
      'Recommendations',
    ),
    ...failures,
    415: json(error, 'The Content-Type is not JSON.'),
  },
});

export const similar = createRoute({
  method: 'get',
  path: '/v1/similar',
  summary: 'The repositories nearest to a given one, by the model',
  request: {
    query: z.object({ repository: name('give repository=NAME, such as team/app'), registry, limit: limit(10, 100) }),
  },
  responses: {
    200: json(
      z.object({
        repository: z.string(),
        registry: registryShown,
        items: z.array(
          z.object({
            repository: z.string(),
            registry: registryShown,
            similarity: z.number(),
            shared: z
              .int()
              .optional()
              .openapi({ description: 'How many users pulled both, when the model was trained' }),
          }),
        ),
        note: z.string().optional().openapi({ description: 'Why the list is empty' }),
      }),
      'Repositories, nearest first',
    ),
    ...failures,
    404: json(error, 'The model does not know this repository yet.'),
  },
});

const scores = z.object({
  people: z.int(),
  auc: z.number().optional(),
  ndcg: z.number().optional().openapi({ description: 'NDCG of lists of ten' }),
  recall: z.number().optional().openapi({ description: 'Recall of lists of ten' }),
  recall20: z.number().optional().openapi({ description: 'Recall of lists of twenty' }),
  coverage: z.number().optional().openapi({ description: 'Share of the repositories that are in at least one list' }),
});
const evaluation = z.object({ als: scores, similar: scores, popular: scores });
const kind = z.enum(['als', 'knn', 'ease', 'blend', 'popular']);
const settings = z.record(z.string(), z.union([z.number(), z.string(), z.boolean()]));
const candidate = z
  .object({
    name: z.string(),
    kind,
    settings,
    random: scores.optional().openapi({ description: 'On randomly held-out pulls' }),
    byTime: scores.optional().openapi({ description: 'On the newest first pulls' }),
    seconds: z.number(),
    tried: z.int().openapi({ description: 'How many settings of it were tried' }),
    skipped: z.string().optional().openapi({ description: 'Why it was skipped' }),
  })
  .openapi('Candidate');

const card = z
  .object({
    id: z.string(),
    trainedAt: z.iso.datetime(),
    rank: z.int(),
    iterations: z.int(),
    lambda: z.number(),
    alpha: z.number(),
    seed: z.int(),
    people: z.int(),
    images: z.int(),
    pairs: z.int(),
    heldOut: z.int(),
    auc: z.number().nullable(),
    popularityAuc: z.number().nullable(),
    evaluation: z.object({ random: evaluation, byTime: evaluation.optional() }).optional(),
    winner: z.string().optional().openapi({ description: 'Which candidate this model is' }),
    kind: kind.optional(),
    settings: settings.optional().openapi({ description: 'The settings it was fitted with' }),
    candidates: z.array(candidate).optional().openapi({ description: 'All candidates, best NDCG@10 first' }),
    why: z.string().optional().openapi({ description: 'Why this candidate was chosen' }),
    margin: z
      .object({ over: z.string(), ndcg: z.number(), error: z.number() })
      .optional()
      .openapi({ description: 'By how much it is ahead in NDCG@10, with the standard error' }),
    pinned: z.boolean().optional().openapi({ description: 'The owner chose it by the setting `model`' }),
    followed: z
      .record(z.string(), z.object({ shown: z.int(), followed: z.int() }))
      .optional()
      .openapi({
        description: `By source: repositories shown to users in the last 30 days, and how many of them they pulled within ${followedWithinDays} days`,
      }),
    stages: z.array(z.object({ name: z.string(), seconds: z.number() })).optional(),
    refused: z.string().optional().openapi({ description: 'Why it was not put in service' }),
    seconds: z.number(),
    current: z.boolean(),
  })
  .openapi('ModelCard');

export const model = createRoute({
  method: 'get',
  path: '/v1/model',
  summary: 'The training card of the model in service, and those before it',
  responses: {
    200: json(
      z.object({
        current: card.nullable(),
        held: z
          .boolean()
          .openapi({ description: 'The owner rolled back to it: it stays in service until the rollback is lifted' }),
        items: z.array(card),
        refused: card.nullable(),
      }),
      'Cards',
    ),
  },
});

export const rollback = createRoute({
  method: 'post',
  path: '/v1/model/rollback',
  summary: 'Puts an earlier model back in service: the named one, or the previous one',
  request: {
    query: z.object({
      id: z.string().max(64, 'must be the id of a model that GET /v1/model lists').optional(),
    }),
  },
  responses: {
    200: json(card, 'The model now in service'),
    ...failures,
    404: json(error, 'There is no such model.'),
  },
});

export const lift = createRoute({
  method: 'delete',
  path: '/v1/model/rollback',
  summary: 'Lifts a rollback: the next training may put another model in service',
  responses: { 200: json(card, 'The model in service'), ...failures, 404: json(error, 'There is no rollback.') },
});

export function recommendationRoutes(options: RecommendationOptions): OpenAPIHono {
  const { events, search, models, registries = registriesOf(), clock, report } = options;
  const catalogue = catalogueSource(search, clock, report);
  const shown = async (list: Parameters<typeof withShown>[1]) => {
    const changed = withShown(await search.shown(list.user), list, clock());
    if (changed) await search.saveShown([changed]);
  };
  const app = router();

  app.openapi(forUser, async (c) => {
    const { user, registry, limit, exclude = [] } = c.req.valid('query');
    registries.known(registry);
    let partial = false;
    const orWithout = <T>(read: Promise<T>, without: T): Promise<T> =>
      read.catch((cause) => {
        if (!(cause instanceof StoreUnavailable)) throw cause;
        partial = true;
        return without;
      });
    const [{ items: pulls, cursor }, pushed] = await Promise.all([
      events.history(user, { limit: newestPulls }),
      orWithout(search.pushed(user), []),
    ]);
    // A user who pulls one repository in a loop may have pulled others before the newest pulls.
    const [older, ever] =
      cursor === undefined
        ? [[], []]
        : await Promise.all([
            orWithout(search.pulledDays({ user, limit: mostRepositories }), []),
            orWithout(search.pulled(user), []),
          ]);
    const pulled = daysOf(pulls, older);
    // Models don't learn from scanners' pulls or old ones, but a repository that a user's client ever pulled or pushed
    // is not new to that user.
    const excluded = new Set([
      ...pulls.map(({ repository }) => repository),
      ...ever,
      ...pushed,
      ...[exclude]
        .flat()
        .flatMap((text) => [text, ...text.split(',')])
        .filter(Boolean)
        .flatMap((name) => registries.keys(name)),
    ]);
    const found = await recommend(
      {
        ...{
          pulled,
          exclude: excluded,
          registry,
          limit,
          saved: () => orWithout(search.recommendations(user), undefined),
        },
      },
      { catalogue, models },
    );
    const list = listId(user, found.items);
    // A list for a name without pulls belongs to no user, so it is not stored.
    if (pulls.length > 0 && !partial) await shown({ user, list, items: found.items }).catch(report);
    return c.json({ id: list, user, ...dated(found, registries), ...(partial ? { partial } : {}) }, 200);
  });

  app.openapi(forList, async (c) => {
    const { repositories, registry, limit, exclude } = c.req.valid('json');
    registries.known(registry);
    const all = (names: string[]) => names.flatMap((name) => registries.keys(name));
    const own = repositories.flatMap((name) => registries.keys(name, registry));
    const pulled = new Map(own.map((key) => [key, 1]));
    const found = await recommend({ pulled, exclude: new Set(all(exclude)), registry, limit }, { catalogue, models });
    const { rows } = await catalogue();
    const unknown = repositories.filter((name) => !registries.keys(name, registry).some((key) => rows.has(key)));
    return c.json({ id: listId('', found.items), ...dated(found, registries), unknown }, 200);
  });

  app.openapi(similar, async (c) => {
    const { repository: asked, registry, limit } = c.req.valid('query');
    registries.known(registry);
    const [service, { rows }] = await Promise.all([models.current(), catalogue()]);
    const repository = registries.keys(asked, registry).find((key) => service?.model.index.has(key)) ?? asked;
    const at = service?.model.index.get(repository);
    if (!service || at === undefined)
      throw notFound(`The model does not know "${asked}" yet: it is trained on pulls by people.`);
    const { model } = service;
    const pulledBy = (name: string) => rows.get(name)?.pulledBy ?? 0;
    // As in a user's list: nothing that was deleted since or that only one user pulled.
    const nearest = model
      .similar(at, model.items.length, (other) => pulledBy(model.items[other]) < sharedBy)
      .filter((near) => pulledBy(repository) >= sharedBy && isSupported(near, pulledBy(model.items[near.item])))
      .filter(({ item }) => registry === undefined || registryOf(model.items[item]) === registry)
      .slice(0, limit)
      .map(({ item, score, shared }) => ({ ...registries.shown(model.items[item]), similarity: score, shared }));
    const note = `No other repository was pulled by ${sharedBy} users who also pulled "${asked}": that is too few to know what goes with it.`;
    return c.json({ ...registries.shown(repository), items: nearest, ...(nearest.length === 0 ? { note } : {}) }, 200);
  });

  app.openapi(model, async (c) => {
    const [{ current, cards, held = false }, refused] = await Promise.all([models.list(), models.refused()]);
    const items = cards.map((each) => cardOf(each, current));
    return c.json(
      { current: items.find((each) => each.current) ?? null, held, items, refused: refused ? cardOf(refused) : null },
      200,
    );
  });

  app.openapi(rollback, async (c) => {
    const { id } = c.req.valid('query');
    if (id === '')
      throw wrongParameter(
        'id',
        id,
        'must be the id of a model that GET /v1/model lists, or left out for the previous one',
      );
    const restored = await models.rollback(id);
    return c.json(cardOf(restored, restored.id), 200);
  });

  app.openapi(lift, async (c) => {
    const card = await models.lift();
    return c.json(cardOf(card, card.id), 200);
  });
  return app;
}

const dated = ({ items, model, note }: Awaited<ReturnType<typeof recommend>>, { shown }: Registries) => ({
  model: model ? { id: model.id, trainedAt: iso(model.trainedAt) } : null,
  items: items.map((item) => ({
    ...item,
    ...shown(item.repository),
    because: item.because.map((reason) => ({ ...reason, ...shown(reason.repository) })),
  })),
  ...(note === undefined ? {} : { note }),
});

/**
 * Returns on how many days each repository was pulled by a class that training learns from, newest first: repeats
 * within a day say nothing.
 */
function daysOf(pulls: Pull[], older: PulledDays[]): Map<string, number> {
  const days = new Map<string, Set<number>>();
  for (const { repository, time, class: pullClass } of pulls) {
    if (!taughtClasses.includes(pullClass)) continue;
    const own = days.get(repository) ?? new Set();
    days.set(repository, own.add(Math.floor(time / dayMs)));
  }
  const pulled = new Map([...days].map(([repository, { size }]) => [repository, size]));
  for (const { repository, days } of older) pulled.set(repository, Math.max(days, pulled.get(repository) ?? 0));
  return new Map([...pulled].slice(0, mostRepositories));
}

/** The same list has the same id, so the id reveals nothing more than the list. */
const listId = (user: string, items: { repository: string }[]): string =>
  createHash('sha256')
    .update(JSON.stringify([user, ...items.map(({ repository }) => repository)]))
    .digest('base64url')
    .slice(0, 16);

const cardOf = ({ trainedAt, auc, popularityAuc, ...rest }: Card, current?: string) => ({
  ...rest,
  trainedAt: iso(trainedAt),
  auc: auc ?? null,
  popularityAuc: popularityAuc ?? null,
  current: rest.id === current,
});
