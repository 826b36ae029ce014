// The clients a function uses, made once at its cold start; region, credentials and end points are the environment's.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { openSearch } from './search.ts';

export const dynamoClient = () =>
  DynamoDBDocumentClient.from(new DynamoDBClient({}), { marshallOptions: { removeUndefinedValues: true } });

/** Search at `endpoint`; `signed` says whether the calls are signed with the function's own credentials. */
export function searchStore(endpoint: string, signed: boolean) {
  if (!signed) return openSearch({ endpoint });
  const { credentials, region } = new DynamoDBClient({}).config;
  return openSearch({ endpoint, signer: { region, credentials } });
}
