// A chart, with a sentence for readers who can't see it and a table of its numbers.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ServiceError } from '../api.ts';
import { Failed, Skeleton } from '../components/card.tsx';
import { Table } from '../components/table.tsx';
import { useDark } from '../load.ts';
import { colour, family } from '../tokens.ts';

/** The page's tokens for a canvas, which can't use CSS variables. */
export interface Palette {
  ink: string;
  muted: string;
  line: string;
  accent: string;
  back: string;
  surface: string;
  sans: string;
  mono: string;
  /** The colour of a series, by the name of its token. */
  series: (token: string) => string;
}

const palette = (): Palette => ({
  ink: colour('ink'),
  muted: colour('muted'),
  line: colour('line'),
  accent: colour('accent'),
  back: colour('back'),
  surface: colour('surface'),
  sans: family('sans'),
  mono: family('mono'),
  series: colour,
});

export interface ChartProps {
  /** What the chart says, in one sentence. */
  sentence: string;
  height: number;
  /** G2's options, in the colours of the theme and at a width in pixels. */
  options: (palette: Palette, width: number) => object;
  /** Changes when the data does. */
  of: unknown;
  table: { head: string[]; rows: ComponentChildren[][] };
  /** HTML over the drawing, of the same size: text for screen readers, links for the keyboard. */
  over?: ComponentChildren;
}

export function Chart({ sentence, height, options, of, table, over }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const [asTable, setAsTable] = useState(false);
  const [failed, setFailed] = useState(false);
  const [drawn, setDrawn] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const [width, setWidth] = useState(0);
  const dark = useDark();
  const newest = useRef({ options, height });
  newest.current = { options, height };

  useEffect(() => {
    if (!container.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    observer.observe(container.current);
    return () => observer.disconnect();
  }, []);

  // Data, theme and width are what a drawing is made from
  useEffect(() => {
    if (asTable || width === 0) return;
    let remove: (() => void) | undefined;
    let gone = false;
    Promise.all([import('./g2.ts'), document.fonts.ready]).then(
      ([{ draw }]) => {
        if (gone || !container.current) return;
        const { options, height } = newest.current;
        remove = draw(container.current, { width, height, ...options(palette(), width) });
        setDrawn(true);
        setFailed(false);
      },
      () => setFailed(true),
    );
    return () => {
      gone = true;
      remove?.();
    };
  }, [of, dark, asTable, width, attempt]);

  return (
    <figure>
      {failed && (
        <Failed
          what="The chart"
          error={new ServiceError(0, 'Its script could not be loaded; the table below has the same numbers.')}
          retry={() => setAttempt(attempt + 1)}
        />
      )}
      <div class="chart" hidden={asTable || failed} style={{ height: `${height}px` }}>
        <div role="img" aria-label={sentence}>
          <div ref={container} />
          {!drawn && !asTable && !failed && !over && (
            <Skeleton lines={Math.max(2, Math.floor(height / 44))} height={24} />
          )}
        </div>
        {over}
      </div>
      {(asTable || failed) && (
        <Table
          rows={table.rows}
          keyOf={(_, index) => index}
          columns={table.head.map((head, index) => ({
            head,
            as: index > 0 ? 'number' : 'name',
            cell: (cells: ComponentChildren[]) => cells[index],
          }))}
          caption={sentence}
        />
      )}
      <button
        type="button"
        class="quiet"
        aria-pressed={asTable}
        onClick={() => {
          setAsTable(!asTable);
          setDrawn(false);
        }}
      >
        {asTable ? 'Show as a chart' : 'Show as a table'}
      </button>
    </figure>
  );
}

/** Options of every chart: no frame, the page's font, hairline axes. */
export const axisStyle = ({ muted, line, sans }: Palette) => ({
  title: false,
  labelFill: muted,
  labelOpacity: 1,
  labelFillOpacity: 1,
  labelFontSize: 12,
  labelFontFamily: sans,
  gridStroke: line,
  gridStrokeOpacity: 1,
  gridLineDash: [0, 0],
  line: false,
  tick: false,
});
