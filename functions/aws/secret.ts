import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isDue } from '#core/age.ts';

/** The rights of a reader on the secret. */
export const secretRights = ['secretsmanager:GetSecretValue'];

const freshMs = 5 * 60_000;
/** A shorter secret was truncated or cleared: it must not be accepted. */
const leastCharacters = 8;

/**
 * A secret's text, cached for five minutes: a rotated token is valid after that. While Secrets Manager fails, the last
 * known text is used.
 */
export function openSecret(
  client: Pick<SecretsManagerClient, 'send'>,
  id: string,
  clock: () => number,
): () => Promise<string> {
  let held: { value: string; at: number } | undefined;
  let reading: Promise<string> | undefined;

  const read = async () => {
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id }));
      if (!SecretString || SecretString.trim().length < leastCharacters)
        throw new Error(`secret ${id} has no text of at least ${leastCharacters} characters`);
      held = { value: SecretString, at: clock() };
      return SecretString;
    } catch (cause) {
      if (held) return held.value;
      throw cause;
    } finally {
      reading = undefined;
    }
  };

  return async () => {
    if (held && !isDue(held.at, clock(), freshMs)) return held.value;
    reading ??= read();
    return reading;
  };
}
