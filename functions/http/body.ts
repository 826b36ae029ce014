/** Reads a request's body up to `limit` bytes; the rest is read and dropped, so that the sender gets a response. */
export async function readBody(
  request: Request,
  limit: number,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; tooLong: boolean }> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  return { bytes: new Uint8Array(await new Blob(chunks).arrayBuffer()), tooLong: size > limit };
}
