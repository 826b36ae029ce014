// Zooms at which the map changes what it shows. The page needs them before the map has loaded.

/** From here on cities have names. */
export const citiesZoom = 4;
/** The zoom at which a single domain is shown. */
export const domainZoom = 8;
/**
 * The deepest zoom. IP addresses are located to the city at best, and deeper there would be neither coast nor name in
 * view. Domains that are one cluster here are shown as a list.
 */
export const mostZoom = 9;
