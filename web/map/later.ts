// What the map page loads after its first paint.
export { InView } from './in-view.tsx';
export { Opened } from './opened.tsx';
export { Where } from './where.tsx';
