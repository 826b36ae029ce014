// The two steps around the fit on Spark; between them the state machine of infra/train-spark.ts runs als.py.
import { countOutcome, options } from '../options.ts';
import { prepareSpark, publishSpark } from './spark.ts';

export const prepare = ({ run }: { run: string }) => prepareSpark(run, options);

export const publish = async ({ run }: { run: string }) => countOutcome(await publishSpark(run, options));
