// npm run replay [-- --data DIR]: puts quarantined entries back through, now that the code or the sender is fixed. Those
// that are understood go into the stream as new records and then leave the quarantine; the rest stays.

import { clock } from '../stores/stores.ts';
import { runOnce } from './once.ts';
import { replayed } from './replayed.ts';

const does = 'Puts what is quarantined (GET /v1/quarantine) back through; what is still not understood stays.';

await runOnce('replay', does, async ({ events, stream }, { registries }) => {
  const { released, kept } = await replayed({ events, stream, clock, registries });
  const reasons = [...kept].map(([reason, count]) => `\n  ${count} x ${reason}`).join('');
  return `${released} put back through${kept.size > 0 ? `; still not understood:${reasons}` : ''}`;
});
