// The beacon: <script defer src="https://whalewatch.example/hit.js"></script>. docs/beacon.md lists its attributes. One
// view of a page is one hit, however often the script is loaded; it never throws into the page. No cookie; nothing is
// read but the page's host name and path. Do Not Track and Global Privacy Control are honoured. Owners can leave out
// their own visits: a page opened with ?whalewatch=off turns counting off in this browser, ?whalewatch=on turns it on.
((window, document, navigator, location) => {
  try {
    // A module has no currentScript.
    const script = document.currentScript || document.querySelector('script[src*="hit.js"]');
    const { action: usual, api, debug, domain = location.hostname, hash } = script.dataset;
    const endpoint = new URL(api || 'v1/hits', script.src || location).href.replace(/\/$/, '/v1/hits');
    const earlier = window.whalewatch;
    let queue = [];
    let failures = 0;
    let busy;
    let path;
    let timer;
    // The script is there twice, or a framework ran it again.
    if (earlier?.to === endpoint) return;

    const say = (...words) => debug != null && console.log(...words);
    const here = () => (location.pathname + (hash != null ? location.hash : '')).slice(0, 2e3);
    const later = (milliseconds) => {
      timer ||= setTimeout(send, milliseconds);
    };

    // text/plain needs no preflight. The id lets a hit be sent again without being counted again. Hits sent while a
    // page is being left must stay below 64 KiB: 15 hits with the longest paths do. Nothing is sent before the first
    // view.
    const send = async (leaving) => {
      timer = clearTimeout(timer);
      // An id begins with the time in tenths of a millisecond. Nothing is kept for longer than a day.
      queue = queue.filter(({ id }) => Date.now() - id / 10 < 864e5).slice(-99);
      if (!path || (busy && !leaving) || !queue[0]) return;
      const hits = queue.splice(0, 15);
      if (leaving) send(1);
      let status;
      busy = 1;
      try {
        const response = await fetch(endpoint, {
          method: 'POST',
          // One by one: some pages' libraries give arrays a toJSON that returns a text.
          body: `[${hits.map(JSON.stringify)}]`,
          keepalive: true,
          credentials: 'omit',
          referrerPolicy: 'no-referrer',
        });
        status = response.status;
      } catch {
        // No response: the network is away or the request is blocked.
      }
      busy = 0;
      say(endpoint, status, hits);
      if (status < 500 && status !== 429) {
        failures = 0;
        return send();
      }
      queue = hits.concat(queue);
      // If the server is down, tries again while the page is open. If it never responds although the browser is online,
      // it is blocked: gives up after about three hours.
      if (status || failures < 25 || !navigator.onLine) later(1e3 << Math.min(failures++, 9));
    };

    const hit = (action) => {
      let off;
      try {
        const wish = /[?&]whalewatch=(o\w+)/.exec(location.search);
        if (wish) localStorage.whalewatch = wish[1];
        off = localStorage.whalewatch === 'off';
      } catch {
        // Storage is off: there is no flag to keep.
      }
      if (navigator.webdriver) return say('navigator.webdriver');
      if (off || !domain || navigator.doNotTrack > 0 || navigator.globalPrivacyControl) return;
      queue.push({
        domain,
        action: ((typeof action === 'string' && action) || usual || 'view').slice(0, 64),
        path: here(),
        id: `${Date.now()}${Math.random()}`,
      });
      // The first hit of a visit is sent soon; later ones are sent together.
      queue[14] && !failures ? send() : later(path ? 1e4 : 500);
    };

    // A page that nobody sees yet is not a view: a background tab, a prerendered page.
    const view = () => {
      if (document.hidden || path === here()) return;
      hit();
      path = here();
    };

    window.whalewatch = hit;
    hit.to = endpoint;
    document.addEventListener('visibilitychange', () => (document.hidden ? send(1) : view()));
    // A page restored from the back/forward cache is a new view.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) path = 0;
      view();
    });
    if (window.navigation)
      navigation.addEventListener('currententrychange', ({ navigationType }) => {
        // replaceState is the same view under another path.
        if (navigationType === 'replace' && !document.hidden) path = here();
        view();
      });
    else {
      const { pushState } = history;
      history.pushState = (...change) => {
        pushState.apply(history, change);
        view();
      };
      addEventListener('popstate', view);
    }
    view();
    earlier?.q?.map((call) => hit(...call));
  } catch (cause) {
    console.log(cause);
  }
})(window, document, navigator, location);
