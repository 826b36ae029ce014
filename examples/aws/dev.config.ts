// A deployment to try things on: npm run deploy -- -c config=examples/aws/dev.config.ts -c stackName=WhalewatchDev
import type { Settings } from '../../settings/schema.ts';

export default {
  tags: { project: 'whalewatch', environment: 'dev' },
  alarmEmail: undefined,
  monthlyBudget: 80,
  // Little comes in: fuller batches and fewer exports save a few dollars.
  batchWindow: 60,
  exportEvery: 300,
  // All requests at once: nobody waits five minutes to see a change.
  canary: false,
  keepDays: 3,
  restoreDays: 1,
  logDays: 7,
} satisfies Settings as Settings;
