// AntV G2 with only the parts these charts use; loaded after the page's first paint.
import { extend } from '@antv/g2/esm/api/extend';
import { Runtime } from '@antv/g2/esm/api/runtime';
import { Transpose } from '@antv/g2/esm/coordinate/transpose';
import { litelib } from '@antv/g2/esm/lib/lite';

const G2 = extend(Runtime, { ...litelib(), 'coordinate.transpose': Transpose });

/**
 * Draws into the container; `options` has the width and height in pixels. Returns a function that removes the drawing.
 */
export function draw(container: HTMLElement, options: object): () => void {
  const chart = new G2({ container });
  chart.options({ theme: { type: 'classic', view: { viewFill: 'transparent' } }, ...options });
  chart.render();
  return () => chart.destroy();
}
