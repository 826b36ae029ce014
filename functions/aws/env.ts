/** The named variables of this process. Throws at the cold start, naming those that are missing. */
export function variables<const Name extends string>(
  names: readonly Name[],
  environment: Record<string, string | undefined> = process.env,
): Record<Name, string> {
  const missing = names.filter((name) => environment[name] === undefined);
  if (missing.length > 0)
    throw new Error(`the environment lacks ${missing.join(', ')}: infra sets it for each function`);
  return Object.fromEntries(names.map((name) => [name, environment[name]])) as Record<Name, string>;
}

/** Returns the number in a variable. Throws when it is not one. */
export function number(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new Error(`${name} is "${text}": must be a number`);
  return value;
}

/** The region and credentials of a function; valid for the lifetime of its execution environment. */
export function ownAccess(environment: Record<string, string | undefined> = process.env) {
  const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = variables(
    ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    environment,
  );
  const sessionToken = environment.AWS_SESSION_TOKEN;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, sessionToken };
  return { region: AWS_REGION, credentials };
}
