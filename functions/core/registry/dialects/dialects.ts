import { acr } from './acr.ts';
import { artifactory } from './artifactory.ts';
import type { Dialect } from './dialect.ts';
import { distribution } from './distribution.ts';
import { dockerHub } from './dockerhub.ts';
import { ecr } from './ecr.ts';
import { gitea } from './gitea.ts';
import { github } from './github.ts';
import { harborCloudEvents, harborDefault } from './harbor.ts';
import { quay } from './quay.ts';
import { zot } from './zot.ts';

/**
 * The dialects in the order they are tried: the first that fits reads the body. A new dialect needs a file, a fixture
 * in test/fixtures/registry and a line here.
 */
export const dialects: Dialect[] = [
  distribution,
  harborCloudEvents,
  harborDefault,
  zot,
  ecr,
  artifactory,
  dockerHub,
  quay,
  github,
  gitea,
  acr,
];
