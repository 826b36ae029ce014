// Whalewatch inside a CDK app of your own: cdk synth --app 'node examples/cdk/app.ts'
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Whalewatch } from '../../infra/whalewatch.ts';

const app = new App();
const stack = new Stack(app, 'Platform', { description: 'The platform team owns this stack' });

const whalewatch = new Whalewatch(stack, 'Whalewatch', {
  keepDays: 14,
  rules: [{ name: 'releases', when: 'pushed', repository: 'release/*' }],
});

// Its addresses are plain strings: hand them to whatever else the stack makes.
new Topic(stack, 'Announcements', { displayName: `See ${whalewatch.site}` });
new CfnOutput(stack, 'RegistryWebhook', { value: whalewatch.webhook });
