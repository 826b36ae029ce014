// The thread that processes hits. Registry events have another thread, so that a flood of hits does not delay them.
import { letOthersGoFirst } from './priority.ts';
import { pumpInto } from './process-stream.ts';

letOthersGoFirst();

await pumpInto([{ stream: 'hits', shardPrefix: '', positions: 'pump.db' }]);
