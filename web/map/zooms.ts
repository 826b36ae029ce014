// Zooms at which the map changes what it shows, where the page needs them before the map has come.

/** From here on cities have names. */
export const citiesZoom = 4;
/** A single domain is shown at this one. */
export const domainZoom = 8;
/**
 * The deepest. Addresses are known to the city at best, and deeper there would be neither coast nor name in sight: domains
 * that are one cluster here are told apart by their list.
 */
export const mostZoom = 9;
