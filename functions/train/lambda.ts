import { trainOnce } from './once.ts';

export const handler = () => trainOnce();
