export { trainOnce as handler } from './once.ts';
