// Multiplications with an addition, rounded once by processors that have the instruction: x86 since 2013, and all of
// 64-bit ARM. On older ones V8 rounds twice, so that other bits result (docs/decisions/0005-kernel.md).

/** a + x y */
@inline export function plus(a: v128, x: v128, y: v128): v128 {
  return f32x4.relaxed_madd(x, y, a);
}

/** a - x y */
@inline export function minus(a: v128, x: v128, y: v128): v128 {
  return f32x4.relaxed_nmadd(x, y, a);
}

/** a + x y, of doubles. */
@inline export function plusDouble(a: v128, x: v128, y: v128): v128 {
  return f64x2.relaxed_madd(x, y, a);
}
