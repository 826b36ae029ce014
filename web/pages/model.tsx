// How good the recommendations are, which models are kept, and the way back to an earlier one.
import { change, get, type ModelCard } from '../api.ts';
import { DataCard, Note } from '../components/card.tsx';
import { Confirmed } from '../components/controls.tsx';
import { Ago, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow } from '../load.ts';
import { ago, count, full, percent, plural, sentence } from '../text/format.ts';

/** The scores of a model. Cards from before there were candidates have only those of ALS. */
const scoresOf = ({ candidates, winner, evaluation, auc }: ModelCard) =>
  candidates?.find(({ name }) => name === winner)?.random ?? { ...evaluation?.random.als, auc };

const score = (value: number | null | undefined) => (value === null || value === undefined ? '–' : value.toFixed(3));

/** How often users pulled what they were shown. */
function Followed({ of }: { of: NonNullable<ModelCard['followed']> }) {
  const sources = Object.entries(of).filter(([, { shown }]) => shown > 0);
  if (sources.length === 0) return null;
  const text = sources.map(([source, { shown, followed }]) => `${count(followed)} of ${count(shown)} by ${source}`);
  return <p class="muted">Pulled within a week of being shown: {text.join(', ')}.</p>;
}

/** Measured on pulls held back from training, compared with always recommending the most popular. */
function Worth(card: ModelCard) {
  const { candidates, popularityAuc, people, images, pairs, followed } = card;
  const { auc } = scoresOf(card);
  const popular = candidates?.find(({ name }) => name === 'popular')?.random?.auc ?? popularityAuc;
  return (
    <>
      {typeof auc === 'number' && (
        <p>
          It ranks a pull it has not seen above a repository that was not pulled in <strong>{percent(auc)}</strong> of
          cases
          {popular !== null && <>; naming the popular does so in {percent(popular)}</>}.
        </p>
      )}
      <p class="muted">
        Learned from {plural(pairs, 'pair')} of {plural(people, 'user')} and{' '}
        {plural(images, 'repository', 'repositories')}. AUC and NDCG (of lists of ten) are measured on pulls held back
        from training.
      </p>
      {followed && <Followed of={followed} />}
    </>
  );
}

/** Notes on the two candidates that are not families of models. */
const remarks: Record<string, string> = {
  'in-service': 'may have learned from these pulls, so it is not ranked by them',
  'in-service-again': 'the same settings, trained without these pulls',
};

/** The candidates that were judged when the model in service was trained, and why it was chosen. */
function Competition({ candidates = [], winner, why }: ModelCard) {
  return (
    <>
      {why && <p>Why it serves: {why}.</p>}
      <Table
        rows={candidates}
        keyOf={({ name }) => name}
        caption="Candidates of the newest competition, best first"
        columns={[
          {
            head: 'Candidate',
            as: 'name',
            cell: ({ name, skipped }) => (
              <>
                <span class="mono">{name}</span> {name === winner && <span class="chip current">serves</span>}
                {(skipped ?? remarks[name]) && <span class="under">{sentence(skipped ?? remarks[name])}</span>}
              </>
            ),
          },
          { head: 'NDCG', as: 'number', cell: ({ random }) => score(random?.ndcg) },
          { head: 'On the newest', as: 'number', wide: true, cell: ({ byTime }) => score(byTime?.ndcg) },
          { head: 'Recall of 20', as: 'number', wide: true, cell: ({ random }) => score(random?.recall20) },
          { head: 'AUC', as: 'number', cell: ({ random }) => score(random?.auc) },
          {
            head: 'Coverage',
            as: 'number',
            wide: true,
            cell: ({ random }) => (random?.coverage === undefined ? '–' : percent(random.coverage)),
          },
          { head: 'Settings tried', as: 'number', wide: true, cell: ({ tried }) => count(tried) },
        ]}
      />
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
            {current.candidates && <Competition {...current} />}
            <h3>Kept models</h3>
            <Table
              rows={items}
              keyOf={({ id }) => id}
              caption="Models that are kept, newest first"
              columns={[
                {
                  head: 'Model',
                  as: 'name',
                  cell: ({ id, trainedAt, winner, rank, iterations, lambda, alpha }) => (
                    <>
                      <span class="mono">{id}</span>
                      <span class="under">
                        {winner && `${winner}, `}trained <Ago time={trainedAt} now={now} />
                        {!winner && `, rank ${rank}, ${plural(iterations, 'iteration')}, λ ${lambda}, α ${alpha}`}
                      </span>
                    </>
                  ),
                },
                { head: 'AUC', as: 'number', cell: (card) => score(scoresOf(card).auc) },
                { head: 'NDCG', as: 'number', wide: true, cell: (card) => score(scoresOf(card).ndcg) },
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
