// Training as a task that ends: on Fargate. Its exit code says whether it worked; a refused model is not a failure.
import { info, report } from '#aws/log.ts';
import { trainOnce } from './once.ts';

/** Without this limit Fargate would run, and bill, a hanging task forever. */
const longest = 12 * 3_600_000;
const longestSums = 2 * 3600;
setTimeout(() => {
  report(new Error(`training took more than ${longest / 3_600_000} hours`));
  process.exit(1);
}, longest).unref();

try {
  info(JSON.stringify(await trainOnce({ sumSeconds: longestSums })));
} catch (cause) {
  report(cause);
  process.exitCode = 1;
}
