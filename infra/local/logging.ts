// The log is for people; no failure to write it ends the server. Where it can't be written, lines are lost and nothing else.

/** Ignores that the log can't be written: a full disk, a pipe whose reader went away. */
export function unbreakableLog(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {});
    const write = stream.write.bind(stream);
    // A write to a file is synchronous: an error is thrown here, not emitted.
    stream.write = ((...given: Parameters<typeof write>) => {
      try {
        return write(...given);
      } catch {
        const done = given.find((one) => typeof one === 'function') as ((error?: Error) => void) | undefined;
        if (done) process.nextTick(done);
        return true;
      }
    }) as typeof stream.write;
  }
}
