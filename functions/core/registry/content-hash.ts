/**
 * 128 bits of a text, as hex: two independent 64-bit FNV-1a sums over UTF-16 units. Distinguishes contents; it is not
 * cryptographic.
 */
export function contentHash(content: string): string {
  const prime = 0x100000001b3n;
  let [a, b] = [0xcbf29ce484222325n, 0x84222325cbf29ce4n];
  for (let index = 0; index < content.length; index++) {
    const unit = BigInt(content.charCodeAt(index));
    a = BigInt.asUintN(64, (a ^ unit) * prime);
    b = BigInt.asUintN(64, (b + unit) * prime) ^ (b >> 29n);
  }
  return a.toString(16).padStart(16, '0') + b.toString(16).padStart(16, '0');
}
