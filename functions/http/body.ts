/** Reads a request's body up to `limit` bytes; the rest is read and dropped, so that the sender gets a response. */
export async function readBody(
  request: Request,
  limit: number,
): Promise<{ bytes: Buffer<ArrayBuffer>; tooLong: boolean }> {
  // A server reads no more than was promised, so what promises to fit is read at once, without a stream.
  if (Number(request.headers.get('content-length') ?? Number.NaN) <= limit) {
    const bytes = Buffer.from(await request.arrayBuffer());
    return bytes.length <= limit ? { bytes, tooLong: false } : { bytes: bytes.subarray(0, limit), tooLong: true };
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  return { bytes: Buffer.concat(chunks), tooLong: size > limit };
}
