// npm run replay [-- --data DIR]: replays quarantined entries, after the code or the sender was fixed. Entries that are
// understood now are put into the stream as new records and then leave the quarantine; the others stay.

import { clock } from '../stores/stores.ts';
import { runOnce } from './once.ts';
import { replayed } from './replayed.ts';

const does = 'Replays quarantined entries (GET /v1/quarantine); those that are still not understood stay.';

await runOnce('replay', does, async ({ events, stream }, { registries }) => {
  const { released, kept } = await replayed({ events, stream, clock, registries });
  const reasons = [...kept].map(([reason, count]) => `\n  ${count} x ${reason}`).join('');
  return `${released} replayed${kept.size > 0 ? `; still not understood:${reasons}` : ''}`;
});
