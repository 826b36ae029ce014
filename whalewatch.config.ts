// The settings of a deployment: what you leave out has its default. Checked when the stack is made; a wrong one is named.
// One setting can be given on the command line too: npm run deploy -- -c keepDays=3
import type { Settings } from './settings/schema.ts';

export default {
  alarmEmail: undefined,
} satisfies Settings as Settings;
