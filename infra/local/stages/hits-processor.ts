// The thread that processes hits, beside the registries' own: a flood of them takes this thread's time, not the other's.
import { letOthersGoFirst } from './priority.ts';
import { pumpInto } from './process-stream.ts';

letOthersGoFirst();

await pumpInto([{ stream: 'hits', shardPrefix: '', positions: 'pump.db' }]);
