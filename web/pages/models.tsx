// /models: the models of the recommender, how good they are, and which one serves.
import { mount, Page } from '../components/shell.tsx';
import { Model } from './model.tsx';

mount(
  <Page
    here="./health"
    needs="team"
    crumb={{ href: './health', name: 'Health' }}
    title={<h1>Models</h1>}
    lead="Each training judges several models on the same held-out pulls. The best one is put in service, unless the one in service is better."
  >
    <div class="grid">
      <Model everyMs={10_000} />
    </div>
  </Page>,
);
