// /stack: the images that a pasted file names, and what others pull together with them. The text stays in the browser:
// only names of repositories are sent, and they are not kept.
import { useEffect, useState } from 'preact/hooks';
import { post, type Reply, type ServiceError } from '../api.ts';
import { Recommended } from '../charts/recommended.tsx';
import { Card, Failed, Note } from '../components/card.tsx';
import { mount, Page } from '../components/shell.tsx';
import { Name, repositoryPage } from '../components/table.tsx';
import { useQuery } from '../load.ts';
import { imagesIn, mostText, Unreadable } from '../stack/images.ts';
import type { Reference } from '../stack/reference.ts';
import { plural } from '../text/format.ts';

type Answer = Reply<'/v1/recommendations', 'POST'>;

interface Completed {
  images: Reference[];
  answer?: Answer;
}

const example = `services:
  search:
    image: registry.example/elk/elasticsearch:8.15.0
  dashboard:
    image: registry.example/elk/kibana:8.15.0`;

/** As many as a card shows. */
const limit = 8;

async function complete(text: string): Promise<Completed> {
  const images = await imagesIn(text);
  const names = [...new Set(images.flatMap(({ names }) => names))];
  if (names.length === 0) return { images };
  return { images, answer: await post('/v1/recommendations', { repositories: names, limit }) };
}

/** Each image as it was read, and whether somebody pulled it here. */
function Read({ images, answer }: Completed) {
  const unknown = new Set(answer?.unknown);
  const rows = images.map(({ written, names }) => ({
    ...{ written, names },
    known: answer && names.find((name) => !unknown.has(name)),
  }));
  const missing = rows.filter(({ known }) => known === undefined).length;
  return (
    <Card id="read" title="In this stack" span={5}>
      <p class="muted small lead" role="status">
        {plural(rows.length, 'image')}
        {missing > 0 && `, ${missing} of which ${missing === 1 ? 'is' : 'are'} unknown here`}.
      </p>
      <ul class="stack-images">
        {rows.map(({ written, names, known }) => (
          <li key={written}>
            {known ? (
              <a class="mono" href={repositoryPage(known)}>
                <Name of={known} />
              </a>
            ) : (
              <span class="mono">
                <Name of={names[0] ?? written} />
              </span>
            )}
            {!known && <span class="chip">{names.length > 0 ? 'unknown here' : 'its name can’t be read'}</span>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Wanted({ answer }: { answer?: Answer }) {
  return (
    <Card id="recommended" title="Others pull together with these" span={7}>
      {!answer || answer.items.length === 0 ? (
        <Note title="Nothing to add.">There is no other repository here that several people pulled.</Note>
      ) : (
        <>
          <p class="muted small lead">
            {answer.note ?? 'Best match first: the longer the bar, the better it matches the whole stack.'}
          </p>
          <Recommended items={answer.items} />
        </>
      )}
    </Card>
  );
}

function Stack({ first }: { first: string }) {
  const [text, setText] = useState(first);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<Completed>();
  const [wrong, setWrong] = useState<string>();
  const [error, setError] = useState<ServiceError>();
  const run = async (of: string) => {
    setBusy(true);
    setWrong(undefined);
    setError(undefined);
    setDone(undefined);
    try {
      const found = await complete(of);
      if (found.images.length === 0)
        setWrong('No image was found: an image follows "image:" or FROM, or is alone on its line.');
      else setDone(found);
    } catch (cause) {
      if (cause instanceof Unreadable) setWrong(cause.message);
      else setError(cause as ServiceError);
    }
    setBusy(false);
  };
  // Only at the start: the text that came with the address.
  useEffect(() => {
    if (first) run(first);
  }, []);
  return (
    <div class="grid">
      <form
        class="card stack-form"
        aria-label="The stack"
        onSubmit={(event) => {
          event.preventDefault();
          run(text);
        }}
      >
        <label for="stack">
          A compose file, Kubernetes manifests, Helm values, a Dockerfile, or a list of images. The text stays in this
          browser; only the names of repositories are sent, and they are not kept.
        </label>
        <textarea
          id="stack"
          class="field mono"
          rows={12}
          spellcheck={false}
          autocomplete="off"
          maxLength={mostText}
          placeholder={example}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {wrong && (
          <p class="wrong" role="alert">
            {wrong}
          </p>
        )}
        <div class="choices">
          <button type="submit" class="button sure" disabled={busy || text.trim() === ''}>
            {busy ? 'Looking' : 'Complete it'}
          </button>
        </div>
      </form>
      {error && (
        <section class="card" aria-label="Failed">
          <Failed what="What others pull" error={error} retry={() => run(text)} />
        </section>
      )}
      {done && (
        <>
          <Wanted answer={done.answer} />
          <Read {...done} />
        </>
      )}
    </div>
  );
}

function StackPage() {
  const [query] = useQuery();
  return (
    <Page
      here="./repositories"
      needs="user"
      crumb={{ href: './repositories', name: 'Repositories' }}
      title={<h1>Complete my stack</h1>}
      lead="Paste what you run: see what others pull together with it."
    >
      <Stack first={query.get('with') ?? ''} />
    </Page>
  );
}

mount(<StackPage />);
