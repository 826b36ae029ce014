// The beacon: <script defer src="https://whalewatch.example/hit.js"></script>
//   data-domain="shop.example"  what to count as, instead of the page's host name
//   data-action="checkout"      what was done here, instead of view
//   whalewatch('download')      counts one more act from the page's own script
// No cookie, nothing read from the page but its path. A visitor's wish not to be tracked (DNT, GPC) is kept, and so is
// the owner's: open a page with ?whalewatch=off once, and this browser's visits are left out until ?whalewatch=on.
((window, document, navigator) => {
  const script = document.currentScript || document.querySelector('script[src$="/hit.js"]');
  const endpoint = new URL('/v1/hits', script.src).href;
  const domain = script.dataset.domain || location.hostname;
  let queue = [];
  let path;
  let timer;

  function leftOut() {
    try {
      const wish = /[?&]whalewatch=(on|off)\b/.exec(location.search);
      if (wish) localStorage.setItem('whalewatch', wish[1]);
      if (localStorage.getItem('whalewatch') === 'off') return true;
    } catch {
      // Storage is off: there is no flag to keep.
    }
    return (
      navigator.doNotTrack === '1' ||
      navigator.globalPrivacyControl ||
      navigator.webdriver ||
      /bot|crawl|spider|headless|lighthouse|preview/i.test(navigator.userAgent) ||
      !domain
    );
  }

  // text/plain needs no preflight. The id lets a hit be sent again without being counted again.
  function send(leaving) {
    clearTimeout(timer);
    timer = 0;
    const hits = queue;
    if (!hits[0]) return;
    queue = [];
    const body = JSON.stringify(hits);
    if (leaving && navigator.sendBeacon?.(endpoint, body)) return;
    const again = () => {
      queue = hits.concat(queue).slice(-50);
      later(30000);
    };
    fetch(endpoint, { method: 'POST', body, keepalive: true, credentials: 'omit' }).then(
      (response) => (response.status > 499 || response.status === 429) && again(),
      again,
    );
  }

  function later(milliseconds) {
    timer ||= setTimeout(send, milliseconds);
  }

  function hit(action) {
    if (leftOut()) return;
    queue.push({
      domain,
      action: (action || script.dataset.action || 'view').slice(0, 64),
      path: location.pathname.slice(0, 2048),
      id: Math.random().toString(36).slice(2) + Date.now().toString(36),
    });
    // The visit's first hit is soon on the map; those after it travel together.
    queue.length > 19 ? send() : later(path === undefined ? 500 : 10000);
  }

  function view() {
    if (path === location.pathname) return;
    hit();
    path = location.pathname;
  }

  const { pushState } = history;
  history.pushState = function (...change) {
    pushState.apply(this, change);
    view();
  };
  window.addEventListener('popstate', view);
  // Back from the browser's page cache is a visit again.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) hit();
  });
  document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && send(true));
  window.addEventListener('pagehide', () => send(true));
  window.whalewatch = hit;
  // A page drawn ahead of its visit counts once it is seen.
  document.prerendering ? document.addEventListener('prerenderingchange', view, { once: true }) : view();
})(window, document, navigator);
