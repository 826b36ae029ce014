// The clients a function uses, made once at its cold start; region, credentials and end points are the environment's.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { openSearch } from './search.ts';

export const dynamoClient = () =>
  DynamoDBDocumentClient.from(new DynamoDBClient({}), { marshallOptions: { removeUndefinedValues: true } });

/** Milliseconds that one try of a search call may take, by the stage that waits: three tries fit into its function's time. */
export const searchTimeoutMs = { serve: 8000, process: 30_000, train: 60_000 };

/** Search at `endpoint`; `signed` says whether the calls are signed with the function's own credentials. */
export function searchStore(endpoint: string, signed: boolean, stage: keyof typeof searchTimeoutMs) {
  const timeoutMs = searchTimeoutMs[stage];
  if (!signed) return openSearch({ endpoint, timeoutMs });
  const { credentials, region } = new DynamoDBClient({}).config;
  return openSearch({ endpoint, timeoutMs, signer: { region, credentials } });
}
