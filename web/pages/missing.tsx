// The page for an address where nothing is.
import { Note } from '../components/card.tsx';
import { mount, Page } from '../components/shell.tsx';

// Links are relative to the pages' folder, which may be above a deep address: the page's own script knows where it is.
const address = location.pathname;
history.replaceState(null, '', new URL(/* @vite-ignore */ '../missing', import.meta.url).pathname);

mount(
  <Page here="" title={<h1>Nothing is here</h1>} needs="public">
    <section class="card" aria-label="Where to go">
      <Note title={`There is no page at ${address}.`}>
        It may be mistyped, or the page was renamed. <a href="./">The map</a>, <a href="./people">people</a>,{' '}
        <a href="./repositories">repositories</a>, <a href="./alerts">alerts</a>, <a href="./health">health</a> and{' '}
        <a href="./setup">set-up</a> are here.
      </Note>
    </section>
  </Page>,
);
