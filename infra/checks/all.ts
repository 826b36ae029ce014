// Every check, and the plugin that runs them on the template of each synthesis.
import { readFileSync } from 'node:fs';
import {
  CfnElement,
  type IPolicyValidationContext,
  type IPolicyValidationPlugin,
  type PolicyValidationPluginReport,
  Stack,
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

/** The URL of a check's document. */
export const documentUrl = ({ document }: Check): string => `https://docs.aws.amazon.com/${document}`;

/** The constructs to check in each app: other resources in the app are not checked. */
const scopes = new WeakMap<Stage, Set<IConstruct>>();

/** Checks the resources below a construct at each synthesis of its app; a failed check stops the synthesis. */
export function checkAtSynthesis(scope: IConstruct): void {
  const app = Stage.of(scope) as Stage;
  const known = scopes.get(app);
  if (known) {
    known.add(scope);
    return;
  }
  const first = new Set([scope]);
  scopes.set(app, first);
  Validations.of(app).addPlugins(new AwsChecks(first));
}

/** The template's resources that are below a construct. */
export function resourcesBelow(scope: IConstruct, resources: Resources): Resources {
  const elements = scope.node.findAll().filter(CfnElement.isCfnElement);
  const ids = new Set(elements.map((element) => element.stack.resolve(element.logicalId)));
  return Object.fromEntries(Object.entries(resources).filter(([id]) => ids.has(id)));
}

class AwsChecks implements IPolicyValidationPlugin {
  readonly name = 'WhalewatchAwsChecks';
  readonly ruleIds = checks.map(({ id }) => id);
  readonly #scopes: Set<IConstruct>;
  constructor(scopes: Set<IConstruct>) {
    this.#scopes = scopes;
  }

  validate({ stackTemplates }: IPolicyValidationContext): PolicyValidationPluginReport {
    const violations = [...this.#scopes].flatMap((scope) => {
      const template = stackTemplates.find(
        ({ stackConstructPath }) => stackConstructPath === Stack.of(scope).node.path,
      );
      if (!template) return [];
      const { templatePath } = template;
      const resources = resourcesBelow(scope, JSON.parse(readFileSync(templatePath, 'utf8')).Resources);
      return checks.flatMap((check) =>
        check.faults(resources).map((fault) => ({
          ruleName: check.id,
          description: check.fact,
          fix: documentUrl(check),
          violatingResources: [{ resourceLogicalId: fault, templatePath, locations: [] }],
        })),
      );
    });
    return { success: violations.length === 0, violations };
  }
}
