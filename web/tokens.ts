// The style's tokens for what knows no CSS variables: the map's canvas and the charts'.

let probe: HTMLElement | undefined;

/** A colour of the style in the theme that holds. A custom property itself reads as it was written, light-dark() and all. */
export function colour(name: string): string {
  if (!probe?.isConnected) {
    probe = document.createElement('i');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** A font family of the style. */
export const family = (name: 'sans' | 'mono') =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
