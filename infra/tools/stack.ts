// A deployed stack as its tools see it: addresses and tokens from the outputs.
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

export interface Deployed {
  /** `https://…` of the site and of the API. */
  url: string;
  api: string;
  /** The webhook's token and the owner's. */
  token: string;
  reader: string;
}

/**
 * Addresses and tokens of the stack, read with the credentials of the environment. Throws AWS's error, or the name of
 * the missing output.
 */
export async function deployed(
  StackName: string,
  cloudFormation = new CloudFormationClient({}),
  secrets = new SecretsManagerClient({}),
): Promise<Deployed> {
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
  const output = (name: string) => {
    const found = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === name)?.OutputValue;
    if (!found)
      throw new Error(`the stack ${StackName} has no output ${name}: give --url, --api, --token and --reader`);
    return found;
  };
  const secret = async (name: string) => {
    const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: output(name) }));
    return SecretString;
  };
  const [token, reader] = await Promise.all([secret('WebhookToken'), secret('OwnerToken')]);
  return { url: output('Site'), api: output('Api'), token, reader };
}
