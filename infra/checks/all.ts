// Every check, and the plugin that runs them on the template of each synthesis.
import { readFileSync } from 'node:fs';
import {
  type IPolicyValidationContext,
  type IPolicyValidationPlugin,
  type PolicyValidationPluginReport,
  Stage,
  Validations,
} from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { callChecks } from './calls.ts';
import type { Check, Resources } from './check.ts';
import { dataChecks } from './data.ts';
import { edgeChecks } from './edge.ts';
import { functionChecks } from './functions.ts';
import { watchChecks } from './watch.ts';

export const groups: Record<string, Check[]> = {
  'Alarms, metrics and logs': watchChecks,
  'Schedules, calls and the stream': callChecks,
  'What must last': dataChecks,
  'Functions, rights and tasks': functionChecks,
  'The API and CloudFront': edgeChecks,
};
export const checks: Check[] = Object.values(groups).flat();

/** Where a check's document is. */
export const documentUrl = ({ document }: Check): string => `https://docs.aws.amazon.com/${document}`;

const registered = new WeakSet<object>();

/** Checks the resources below `scope` at each synthesis of its app; a fault stops it. */
export function checkAtSynthesis(scope: IConstruct): void {
  const app = Stage.of(scope) as Stage;
  const scopes = paths.get(app) ?? new Set();
  paths.set(app, scopes.add(scope.node.path));
  if (registered.has(app)) return;
  registered.add(app);
  Validations.of(app).addPlugins(new AwsChecks(scopes));
}

/** The scopes to check of each app: somebody else's resources in it are theirs. */
const paths = new WeakMap<object, Set<string>>();

class AwsChecks implements IPolicyValidationPlugin {
  readonly name = 'WhalewatchAwsChecks';
  readonly ruleIds = checks.map(({ id }) => id);
  readonly #scopes: Set<string>;
  constructor(scopes: Set<string>) {
    this.#scopes = scopes;
  }

  validate({ stackTemplates }: IPolicyValidationContext): PolicyValidationPluginReport {
    const violations = stackTemplates.flatMap(({ templatePath }) => {
      const { Resources } = JSON.parse(readFileSync(templatePath, 'utf8')) as { Resources: Resources };
      return [...this.#scopes].flatMap((scope) =>
        checks.flatMap((check) =>
          check.faults(below(scope, Resources)).map((fault) => ({
            ruleName: check.id,
            description: check.fact,
            fix: documentUrl(check),
            violatingResources: [{ resourceLogicalId: fault, templatePath, locations: [] }],
          })),
        ),
      );
    });
    return { success: violations.length === 0, violations };
  }
}

/** The resources of one construct: CDK writes the path of each into the template. */
function below(scope: string, resources: Resources): Resources {
  return Object.fromEntries(
    Object.entries(resources).filter(([, { Metadata }]) => Metadata?.['aws:cdk:path']?.startsWith(`${scope}/`)),
  );
}
