// How good the recommendations are, which models are kept, and the way back to an earlier one.
import { change, get, type ModelCard } from '../api.ts';
import { DataCard, Note } from '../components/card.tsx';
import { Confirmed } from '../components/controls.tsx';
import { Ago, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow } from '../load.ts';
import { ago, count, full, percent, plural, sentence } from '../text/format.ts';

/** Of the model in service; cards from before the competition have that of their ALS. */
const ndcgOf = ({ candidates, winner, evaluation }: ModelCard) =>
  (candidates?.find(({ name }) => name === winner)?.random ?? evaluation?.random.als)?.ndcg;

const score = (value: number | null | undefined) => (value === null || value === undefined ? '–' : value.toFixed(3));

/** On pulls that were held back from training, against always naming the popular. */
/** How often users pulled what they were shown. */
function Followed({ of }: { of: NonNullable<ModelCard['followed']> }) {
  const sources = Object.entries(of).filter(([, { shown }]) => shown > 0);
  if (sources.length === 0) return null;
  const text = sources.map(([source, { shown, followed }]) => `${count(followed)} of ${count(shown)} by ${source}`);
  return <p class="muted">Pulled within a week of being shown: {text.join(', ')}.</p>;
}

function Worth({ auc, popularityAuc, people, images, pairs, followed }: ModelCard) {
  return (
    <>
      {auc !== null && (
        <p>
          It ranks a pull it has not seen above an image that was not pulled in <strong>{percent(auc)}</strong> of cases
          {popularityAuc !== null && <>; naming the popular does so in {percent(popularityAuc)}</>}.
        </p>
      )}
      <p class="muted">
        Learnt from {plural(pairs, 'pair')} of {plural(people, 'person', 'people')} and {plural(images, 'image')}. AUC
        and NDCG (of lists of ten) are taken on pulls held back from training.
      </p>
      {followed && <Followed of={followed} />}
    </>
  );
}

export function Model({ everyMs }: { everyMs: number }) {
  const now = useNow();
  const loaded = useLoad('model', (signal) => get('/v1/model', {}, { signal, revalidate: true }));
  useEvery(everyMs, loaded.reload);
  const restore = async (id: string) => {
    await change('POST', '/v1/model/rollback', { id });
    loaded.reload();
  };
  const { current } = loaded.data ?? {};
  return (
    <DataCard
      id="model"
      title="What recommends"
      span={12}
      aside={
        current && (
          <span class="muted small">
            trained <Ago time={current.trainedAt} now={now} />
          </span>
        )
      }
      of={loaded}
      what="The model"
      lines={5}
    >
      {({ current, items, refused }) =>
        current ? (
          <>
            <Worth {...current} />
            {refused && (
              <Note title={`The training of ${ago(refused.trainedAt, now)} was not put in service.`}>
                {sentence(refused.refused ?? 'no reason is kept')} (model {refused.id}, AUC {score(refused.auc)}). The
                model before it stays in service.
              </Note>
            )}
            {!items[0].current && (
              <Note title="An earlier model is in service.">
                The next training that is good enough takes its place.
              </Note>
            )}
            <Table
              rows={items}
              keyOf={({ id }) => id}
              caption="Models that are kept, newest first"
              columns={[
                {
                  head: 'Model',
                  as: 'name',
                  cell: ({ id, trainedAt, rank, iterations, lambda, alpha }) => (
                    <>
                      <span class="mono">{id}</span>
                      <span class="under">
                        trained <Ago time={trainedAt} now={now} />, rank {rank}, {plural(iterations, 'iteration')}, λ{' '}
                        {lambda}, α {alpha}
                      </span>
                    </>
                  ),
                },
                { head: 'AUC', as: 'number', cell: ({ auc }) => score(auc) },
                { head: 'NDCG', as: 'number', wide: true, cell: (card) => score(ndcgOf(card)) },
                { head: 'Pairs', as: 'number', wide: true, cell: ({ pairs }) => count(pairs) },
                {
                  head: 'In service',
                  as: 'number',
                  cell: ({ id, current, trainedAt }) =>
                    current ? (
                      <span class="chip current">in service</span>
                    ) : (
                      <Confirmed
                        button="Put back"
                        title="Put this model back in service?"
                        sure="Put it back"
                        act={() => restore(id)}
                      >
                        Recommendations come at once from {id}, trained {full(trainedAt)}, until a newer training takes
                        its place. None of the others is deleted.
                      </Confirmed>
                    ),
                },
              ]}
            />
          </>
        ) : (
          <p class="muted">Not trained yet. Until then, recommendations are what is trending and popular.</p>
        )
      }
    </DataCard>
  );
}
