// The clients that a function uses, made once at its cold start; region, credentials and endpoints come from the
// environment.
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { openSearch, type SearchOptions, searchTimeoutMs } from './opensearch/search.ts';
import { openSigner } from './signed.ts';
import { withUnavailable } from './unavailable.ts';

export const dynamoClient = () =>
  DynamoDBDocumentClient.from(withUnavailable(new DynamoDBClient({})), {
    marshallOptions: { removeUndefinedValues: true },
  });

export const s3Client = () => withUnavailable(new S3Client({}));

/** Search at `endpoint`; `signed` says whether the calls are signed with the function's own credentials. */
export function searchStore(
  endpoint: string,
  signed: boolean,
  stage: keyof typeof searchTimeoutMs,
  { quarantine }: Pick<SearchOptions, 'quarantine'> = {},
) {
  const options = { endpoint, timeoutMs: searchTimeoutMs[stage], quarantine };
  if (!signed) return openSearch(options);
  const { credentials, region } = new DynamoDBClient({}).config;
  return openSearch({ ...options, sign: openSigner({ service: 'es', region, credentials }) });
}
