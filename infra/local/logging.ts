// A failure to write the log must not end the server: then only log lines are lost.

/** Ignores write errors of the log: a full disk, or a pipe whose reader has closed it. */
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
