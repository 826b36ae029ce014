/** How much of a too long body is read and dropped, so that its sender gets a response. */
const drainedBytes = 64 * 1024 * 1024;

/** Reads a request's body up to `limit` bytes; a further 64 MiB are read and dropped, and no more. */
export async function readBody(
  request: Request,
  limit: number,
): Promise<{ bytes: Buffer<ArrayBuffer>; tooLong: boolean }> {
  // A server reads no more than Content-Length says, so a body that should fit is read at once, without a stream.
  if (Number(request.headers.get('content-length') ?? Number.NaN) <= limit) {
    const bytes = Buffer.from(await request.arrayBuffer());
    return bytes.length <= limit ? { bytes, tooLong: false } : { bytes: bytes.subarray(0, limit), tooLong: true };
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else if (size > limit + drainedBytes) break;
  }
  return { bytes: Buffer.concat(chunks), tooLong: size > limit };
}
