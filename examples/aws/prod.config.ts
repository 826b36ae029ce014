// The deployment that people use: npm run deploy -- -c config=examples/aws/prod.config.ts
import type { Settings } from '../../settings/schema.ts';

export default {
  tags: { project: 'whalewatch', environment: 'prod' },
  alarmEmail: 'platform@example.com',
  monthlyBudget: 150,
  rules: [
    { name: 'releases', when: 'pushed', repository: 'release/*' },
    { name: 'new people', when: 'first-pull' },
  ],
  // A store that is down over a weekend costs no record.
  retentionHours: 96,
  search: { gigabytes: 20 },
  restoreDays: 14,
  logDays: 90,
  // domainName: { name: 'whalewatch.example.com', certificateArn: 'arn:aws:acm:us-east-1:…' },
  // apiDomain: { name: 'api.whalewatch.example.com', certificateArn: 'arn:aws:acm:REGION:…' },
} satisfies Settings as Settings;
