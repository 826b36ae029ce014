// Credentials in one DynamoDB table: pk is the kind, sk the digest, `doc` the credential as JSON, `expires` (epoch
// seconds) the time to live, `owner` the user it speaks for.
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type { Credential, CredentialKind, CredentialStore } from '#core/stores.ts';
import { deleteAll, queryAll, type Row } from './dynamo.ts';

export interface CredentialsOptions {
  client: DynamoDBDocumentClient;
  table: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** The rights that each method needs on the table. */
export const credentialRights = {
  put: ['dynamodb:PutItem'],
  find: ['dynamodb:GetItem'],
  list: ['dynamodb:Query'],
  used: ['dynamodb:UpdateItem'],
  remove: ['dynamodb:DeleteItem'],
  forget: ['dynamodb:Query', 'dynamodb:BatchWriteItem'],
} satisfies Record<keyof CredentialStore, string[]>;

const kinds: CredentialKind[] = ['session', 'token', 'registry'];

export function openCredentials({ client, table, clock }: CredentialsOptions): CredentialStore {
  const TableName = table;
  const rowsOf = (kind: CredentialKind) =>
    queryAll(client, {
      TableName,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': kind },
      ConsistentRead: true,
    });
  // DynamoDB's own expiry may be two days late.
  const isLive = ({ expiresAt }: Credential) => expiresAt === undefined || expiresAt > clock();

  return {
    async put(credential) {
      const { kind: pk, digest: sk, user, expiresAt, usedAt } = credential;
      const expires = expiresAt === undefined ? undefined : Math.ceil(expiresAt / 1000);
      await client.send(
        new PutCommand({ TableName, Item: { pk, sk, owner: user, expires, usedAt, doc: JSON.stringify(credential) } }),
      );
    },
    async find(pk, sk) {
      const { Item } = await client.send(new GetCommand({ TableName, Key: { pk, sk }, ConsistentRead: true }));
      const credential = Item && credentialOf(Item);
      return credential && isLive(credential) ? credential : undefined;
    },
    async list(kind) {
      const live = (await rowsOf(kind)).map(credentialOf).filter(isLive);
      return live.sort((a, b) => a.createdAt - b.createdAt || (a.digest < b.digest ? -1 : 1));
    },
    async used(pk, sk, at) {
      try {
        await client.send(
          new UpdateCommand({
            TableName,
            Key: { pk, sk },
            UpdateExpression: 'SET usedAt = :at',
            ConditionExpression: 'attribute_exists(pk) AND (attribute_not_exists(usedAt) OR usedAt < :at)',
            ExpressionAttributeValues: { ':at': at },
          }),
        );
      } catch (cause) {
        if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
      }
    },
    async remove(pk, sk) {
      const { Attributes } = await client.send(
        new DeleteCommand({ TableName, Key: { pk, sk }, ReturnValues: 'ALL_OLD' }),
      );
      return Attributes !== undefined;
    },
    async forget(user) {
      const rows = (await Promise.all(kinds.map(rowsOf))).flat().filter(({ owner }) => owner === user);
      await deleteAll(
        client,
        table,
        rows.map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) })),
      );
      return rows.length;
    },
  };
}

const credentialOf = ({ usedAt, doc }: Row): Credential => ({
  ...(JSON.parse(String(doc)) as Credential),
  ...(usedAt === undefined ? {} : { usedAt: Number(usedAt) }),
});
