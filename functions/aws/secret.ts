import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isDue } from '#core/age.ts';

/** The rights of a reader on the secret. */
export const secretRights = ['secretsmanager:GetSecretValue'];

const freshMs = 5 * 60_000;
/** Less is a secret that was cut short or cleared: it must open nothing. */
const leastCharacters = 8;

/**
 * A secret's text, kept for five minutes: a rotated token counts after that. When Secrets Manager fails, the last one
 * known goes on serving.
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
        throw new Error(`secret ${id} holds no text of at least ${leastCharacters} characters`);
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
