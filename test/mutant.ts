// Changes one place of one file as it is loaded: `npm run mutate` makes each process and thread of a test load this
// first.
import { registerHooks } from 'node:module';

const { file, at, from, to }: { file: string; at: number; from: string; to: string } = JSON.parse(
  process.env.WHALEWATCH_MUTANT as string,
);
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (url !== file) return loaded;
    const text = String(loaded.source);
    if (!text.startsWith(from, at)) throw new Error(`${file} has no ${JSON.stringify(from)} at ${at}`);
    return { ...loaded, source: text.slice(0, at) + to + text.slice(at + from.length) };
  },
});
