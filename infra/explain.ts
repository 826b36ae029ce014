// Accepted findings of cdk-nag, each with its reason.
import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** `reasons`: rule -> why its finding is accepted for this construct and everything in it. */
export function explain(construct: IConstruct, reasons: Record<string, string>): void {
  for (const [rule, reason] of Object.entries(reasons))
    Validations.of(construct).acknowledge({ id: `AwsSolutions::AwsSolutions-${rule}`, reason });
}

/** cdk-nag's name for the finding that a role may use every resource that matches a pattern. */
export function wildcard(scope: IConstruct, resource: string): string {
  return `IAM5[Resource::${text(Stack.of(scope).resolve(resource))}]`;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  const [[name, of]] = Object.entries(value as Record<string, unknown[]>);
  if (name === 'Fn::Join') return (of[1] as unknown[]).map(text).join(String(of[0]));
  if (name === 'Fn::Sub') return String(of).replace(/\$\{([^}]+)\}/g, '<$1>');
  if (name === 'Fn::GetAtt') return `<${of.join('.')}>`;
  return `<${of}>`;
}
