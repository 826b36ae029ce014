// Pulls of the last days as a line of bars.
import { plural } from '../text/format.ts';

const [width, height] = [120, 24];

export function Spark({ days }: { days: number[] }) {
  const most = Math.max(1, ...days);
  const step = width / days.length;
  const total = days.reduce((sum, pulls) => sum + pulls, 0);
  return (
    <svg
      class="spark"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`${plural(total, 'pull')} in ${days.length} days`}
    >
      {days.map((pulls, index) => {
        const high = pulls === 0 ? 1 : Math.max(2, (pulls / most) * height);
        // Days have no other id than their position.
        const key = `day ${index}`;
        return (
          <rect
            key={key}
            class={pulls === 0 ? 'none' : undefined}
            x={index * step}
            y={height - high}
            width={step - 1}
            height={high}
          />
        );
      })}
    </svg>
  );
}
