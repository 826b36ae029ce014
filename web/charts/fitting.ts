// Text on a canvas has no CSS to cut it short.

const segmenter = new Intl.Segmenter();

/** Cuts a text's middle out until it is at most `width` pixels wide in a font: a name's beginning and end say most. */
export function fitting(font: string, width: number, measure = measured(font)): (text: string) => string {
  return (text) => {
    if (measure(text) <= width) return text;
    // Letters as readers see them: no accent or flag is torn apart.
    const letters = Array.from(segmenter.segment(text), ({ segment }) => segment);
    const cut = (kept: number) =>
      `${letters.slice(0, Math.ceil(kept / 2)).join('')}…${letters.slice(letters.length - Math.floor(kept / 2)).join('')}`;
    let [least, most] = [0, letters.length - 1];
    while (least < most) {
      const middle = Math.ceil((least + most) / 2);
      if (measure(cut(middle)) <= width) least = middle;
      else most = middle - 1;
    }
    return cut(least);
  };
}

let context: CanvasRenderingContext2D | null | undefined;

function measured(font: string): (text: string) => number {
  context ??= document.createElement('canvas').getContext('2d');
  if (!context) return (text) => text.length * 8;
  const canvas = context;
  return (text) => {
    canvas.font = font;
    return canvas.measureText(text).width;
  };
}
