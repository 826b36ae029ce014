// A check: a fact about AWS that the design relies on, the document that states it, and a test of the template for it.

/** A resource of a template. */
export interface Resource {
  Type: string;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
  UpdatePolicy?: Record<string, unknown>;
  Metadata?: { 'aws:cdk:path'?: string };
  // biome-ignore lint/suspicious/noExplicitAny: properties differ from type to type
  Properties: Record<string, any>;
}
export type Resources = Record<string, Resource>;

export interface Check {
  /** Its name in the table, in the report of a synthesis and in the tests. */
  id: string;
  fact: string;
  /** Path of the document below docs.aws.amazon.com. */
  document: string;
  /** Returns what is wrong: a logical ID, and the reason if it is not the fact itself. */
  faults(resources: Resources): string[];
}

type Test = (properties: Resource['Properties'], resource: Resource, id: string, all: Resources) => unknown;

/** All resources of one type, with their IDs. */
export const ofType = (resources: Resources, type: string): [string, Resource][] =>
  Object.entries(resources).filter(([, resource]) => resource.Type === `AWS::${type}`);

/** Faults for each resource of the type that does not pass the test. */
export const each =
  (type: string, test: Test) =>
  (resources: Resources): string[] =>
    ofType(resources, type)
      .filter(([id, resource]) => !test(resource.Properties ?? {}, resource, id, resources))
      .map(([id]) => id);

/** A fault if resources of the type exist but none passes the test. */
export const some =
  (type: string, test: Test) =>
  (resources: Resources): string[] => {
    const all = ofType(resources, type);
    return all.length === 0 || all.some(([id, resource]) => test(resource.Properties, resource, id, resources))
      ? []
      : [`none of the ${all.length} resources of ${type}`];
  };

/** The logical ID that a `Ref` or `Fn::GetAtt` names, anywhere in a value. */
export function target(value: unknown): string | undefined {
  const text = JSON.stringify(value) ?? '';
  return /"(?:Ref":"|Fn::GetAtt":\[")([^":]+)"/.exec(text)?.[1];
}

/** A value of a template as text: references become `<ID.Attribute>`. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  const [[name, of]] = Object.entries(value);
  if (name === 'Fn::Join') return (of[1] as unknown[]).map(textOf).join(String(of[0]));
  if (name === 'Fn::GetAtt') return `<${of.join('.')}>`;
  if (name === 'Fn::Sub') return String(of).replace(/\$\{([^}]+)\}/g, '<$1>');
  return `<${textOf(of)}>`;
}

export interface Statement {
  Effect: 'Allow' | 'Deny';
  Action: string[];
  Resource: string[];
  Principal?: unknown;
  Condition?: unknown;
}

const list = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

export const statementsOf = (document: { Statement: Record<string, unknown>[] } | undefined): Statement[] =>
  (document?.Statement ?? []).map(({ Effect, Action, Resource, Principal, Condition }) => ({
    Effect: Effect as Statement['Effect'],
    Action: list(Action as string | string[]),
    Resource: list(Resource as unknown).map(textOf),
    Principal,
    Condition,
  }));

/** The statements of a role: in its inline policies and in those attached to it. */
export function rightsOf(resources: Resources, role: string): Statement[] {
  const inline = (resources[role]?.Properties.Policies ?? []) as { PolicyDocument: { Statement: never[] } }[];
  const attached = ofType(resources, 'IAM::Policy').filter(([, { Properties }]) =>
    (Properties.Roles as unknown[]).some((of) => target(of) === role),
  );
  return [
    ...inline.flatMap(({ PolicyDocument }) => statementsOf(PolicyDocument)),
    ...attached.flatMap(([, { Properties }]) => statementsOf(Properties.PolicyDocument)),
  ];
}

/** Whether a resource outlives the stack. */
export const isKept = ({ DeletionPolicy }: Resource): boolean => /^Retain/.test(DeletionPolicy ?? '');
