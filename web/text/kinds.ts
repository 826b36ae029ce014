// What kinds of accounts and pulls are called.

const many: Record<string, string> = {
  human: 'People',
  ci: 'CI jobs',
  cluster: 'Clusters',
  scanner: 'Scanners',
  mirror: 'Mirrors',
  signature: 'Signatures',
  'version-check': 'Version checks',
};
/** A class of pulls in words. */
export const className = (name: string) => many[name] ?? name;

const one: Record<string, string> = {
  human: 'person',
  ci: 'CI job',
  cluster: 'cluster',
  scanner: 'scanner',
  mirror: 'mirror',
  signature: 'signature',
  'version-check': 'version check',
};
/** What one account of a class is. */
export const kindName = (name: string) => one[name] ?? name;
