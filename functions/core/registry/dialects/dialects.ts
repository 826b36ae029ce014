import type { Dialect } from './dialect.ts';
import { distribution } from './distribution.ts';
import { harborCloudEvents, harborDefault } from './harbor.ts';

/** Asked in this order, the first that fits reads the body. A new dialect is one file, its fixture and one line here. */
export const dialects: Dialect[] = [distribution, harborCloudEvents, harborDefault];
