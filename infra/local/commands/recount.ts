// npm run recount [-- --data DIR]: tells the stored events anew by the rules of this version.
import { classifier } from '#core/registry/classify.ts';
import { recount } from '#process/recount.ts';
import { clock } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does =
  'Classes every stored registry event anew, and tells pulls, pushes and search from them, by the rules of this version: needed once after an update that changes them. It may be stopped at any time and then goes on; the server may be running.';

await runOnce('recount', does, async (stores, { pullWindow }) => {
  let shown = 0;
  const done = await recount({
    ...stores,
    classify: classifier(),
    pullWindowSeconds: pullWindow,
    clock,
    progress({ pairs, events, changed }) {
      if (clock() - shown < 1000) return;
      shown = clock();
      console.error(`${events} events of ${pairs} users' repositories, ${changed} pulls changed`);
    },
  });
  return `${done.events} events of ${done.pairs} users' repositories recounted: ${done.changed} pulls changed`;
});
