// The style's tokens for canvases (map and charts), which can't use CSS variables.

let probe: HTMLElement | undefined;

/**
 * A colour of the style in the present theme. Reading a custom property itself would return its light-dark()
 * unresolved.
 */
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
