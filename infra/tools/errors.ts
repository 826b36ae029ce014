// Errors of tools on AWS that a user can fix. Imports nothing, so that verify loads no AWS client without --stack.

/** How to fix an error of AWS's client or of the flags, after its message; '' if unknown. `flag` names another stack. */
export function fixOf({ name, message }: Error, flag = '--stack NAME'): string {
  if (message === 'Region is missing') return ': set AWS_REGION, or AWS_PROFILE to a profile that has one';
  if (name === 'CredentialsProviderError') return ': run aws configure sso, or set AWS_PROFILE';
  if (/ does not exist$/.test(message)) return `: name another with ${flag}, or its region with AWS_REGION`;
  return '';
}

/** Ends the process with 1 and one line if `work` throws an error that a user can fix; a bug is thrown. */
export async function runTool(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const fix = fixOf(cause as Error);
    if (!fix && !code?.startsWith('ERR_PARSE_ARGS')) throw cause;
    console.error(`${message}${fix}`);
    process.exitCode = 1;
  }
}
