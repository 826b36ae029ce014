/** Posts JSON. Throws an error with the server's response but without its URL, which may be a secret. */
export async function post(url: string, body: string, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(5000),
  }).catch((cause) => {
    const { code, message } = (cause.cause ?? cause) as NodeJS.ErrnoException;
    throw new Error(`it can't be reached: ${code ?? message}`);
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it responded ${response.status}`);
}
