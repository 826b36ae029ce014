// What the map page loads after its first paint: it is needed once the map is there.
export { InView } from './in-view.tsx';
export { Opened } from './opened.tsx';
export { Where } from './where.tsx';
