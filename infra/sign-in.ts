// Sign-in on AWS if the settings name no issuer: a Cognito user pool of the deployment's own.
import { CfnOutput, Duration, Names, Stack } from 'aws-cdk-lib';
import { AccountRecovery, CfnUserPoolGroup, Mfa, OAuthScope, UserPool } from 'aws-cdk-lib/aws-cognito';
import { Construct } from 'constructs';
import type { AccessSettings } from '#core/access.ts';
import { explain } from './explain.ts';
import { keep } from './stores.ts';

export interface SignInProps {
  /** `https://…`, without a slash at the end. */
  site: string;
  access: AccessSettings;
}

export class SignIn extends Construct {
  readonly pool: UserPool;
  readonly access: AccessSettings;

  constructor(scope: Construct, id: string, { site, access }: SignInProps) {
    super(scope, id);
    this.pool = new UserPool(this, 'Pool', {
      // Nobody can sign up: the owner makes accounts, whose names are the user names at the registry and can't be
      // changed.
      selfSignUpEnabled: false,
      signInAliases: { username: true, email: true },
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      mfa: Mfa.OPTIONAL,
      mfaSecondFactor: { sms: false, otp: true },
      passwordPolicy: {
        minLength: 12,
        requireDigits: true,
        requireLowercase: true,
        requireUppercase: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(3),
      },
      removalPolicy: keep,
    });
    explain(this.pool, {
      COG2: "A second factor is each person's choice; with an issuer of your own it is that issuer's",
      COG3: 'Threat protection needs a paid plan, for accounts that only the owner makes',
      COG8: 'Threat protection needs a paid plan, for accounts that only the owner makes',
    });
    for (const groupName of ['team', 'owner'])
      new CfnUserPoolGroup(this, groupName, {
        userPoolId: this.pool.userPoolId,
        groupName,
        description: `Has the role ${groupName} in Whalewatch`,
      });
    // Unique in the region. Cognito refuses these words in it.
    const name = Names.uniqueResourceName(this, { maxLength: 40 })
      .toLowerCase()
      .replace(/cognito|aws|amazon/g, 'x');
    this.pool.addDomain('Domain', { cognitoDomain: { domainPrefix: `${name}-${Stack.of(this).account}` } });
    const client = this.pool.addClient('Client', {
      // PKCE replaces the client secret.
      generateSecret: false,
      oAuth: {
        flows: { authorizationCodeGrant: true },
        scopes: [OAuthScope.OPENID, OAuthScope.PROFILE, OAuthScope.EMAIL],
        callbackUrls: [`${site}/v1/session/callback`],
        logoutUrls: [site],
      },
      preventUserExistenceErrors: true,
    });
    const issuer = `https://cognito-idp.${Stack.of(this).region}.${Stack.of(this).urlSuffix}/${this.pool.userPoolId}`;
    const group = (name: string) => ({ 'cognito:groups': [name] });
    this.access = {
      ...access,
      signIn: { issuer, clientId: client.userPoolClientId, scopes: ['openid', 'profile', 'email'] },
      rules: { userClaim: 'cognito:username', roles: { team: group('team'), owner: group('owner') } },
    };
    new CfnOutput(this, 'UserPool', { value: this.pool.userPoolId, description: 'The pool of the users who sign in' });
  }
}
