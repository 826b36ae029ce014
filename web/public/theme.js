// Runs before the first paint, so that a reader's own choice of theme doesn't flash.
try {
  const theme = localStorage.getItem('whalewatch.theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the system's theme applies.
}
