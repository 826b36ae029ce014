// npm run recount [-- --data DIR]: recomputes pulls and pushes from the stored events by the rules of this version.
import { classifier } from '#core/registry/classify.ts';
import { recount } from '#process/recount.ts';
import { clock } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does =
  'Classifies every stored registry event again, and recomputes pulls, pushes and search from them, by the rules of this version and of your classRules: needed once after either changes. It may be stopped at any time: the next run continues. The server may be running.';

await runOnce('recount', does, async (stores, { pullWindow, classRules }) => {
  let shown = 0;
  const done = await recount({
    ...stores,
    classify: classifier(classRules),
    pullWindowSeconds: pullWindow,
    clock,
    continues({ pairs }) {
      console.error(`continues after ${pairs} users' repositories`);
    },
    progress({ pairs, events, changed }) {
      if (clock() - shown < 1000) return;
      shown = clock();
      console.error(`${events} events of ${pairs} users' repositories, ${changed} pulls changed`);
    },
  });
  return `${done.events} events of ${done.pairs} users' repositories recounted: ${done.changed} pulls changed`;
});
