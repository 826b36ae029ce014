// The browser that page tests run in: CHROME_PATH, a system Chromium, or the one that comes from npm.
import { existsSync, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright-core';

/**
 * WebGL 2 in software, only for the map: without it everything else is drawn in half the time. No sandbox, because
 * containers run as root. Pages of one site in one context share a process. No optimizing compiler: a page is open for
 * too short a time to gain from it.
 */
const args = ['--no-sandbox', '--enable-unsafe-swiftshader', '--process-per-site', '--js-flags=--no-opt'];

const systemPaths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/**
 * Where the npm package unpacks its browser. It does so without a lock, and test files run side by side: so we lock.
 */
async function unpacked(): Promise<string> {
  // It unpacks the system libraries it needs only if it detects Lambda.
  process.env.AWS_EXECUTION_ENV ??= 'AWS_Lambda_nodejs24.x';
  const lock = join(tmpdir(), 'whalewatch-chromium.lock');
  const { default: packed } = await import('@sparticuz/chromium');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      const held = statSync(lock, { throwIfNoEntry: false });
      // A process that has held the lock for a minute was killed.
      if (held && Date.now() - held.mtimeMs > 60_000) rmdirSync(lock);
      await setTimeout(100);
    }
  }
  try {
    return await packed.executablePath();
  } finally {
    rmdirSync(lock);
  }
}

/** A browser, or the reason why there is none. */
export async function openBrowser(): Promise<Browser | string> {
  try {
    const named = process.env.CHROME_PATH;
    if (named && !existsSync(named)) return `CHROME_PATH "${named}" is not a file`;
    const executablePath = named ?? systemPaths.find((path) => existsSync(path)) ?? (await unpacked());
    return await chromium.launch({ executablePath, headless: true, args });
  } catch (cause) {
    return `no browser could be started (${(cause as Error).message.split('\n')[0]}); set CHROME_PATH to a Chromium`;
  }
}
