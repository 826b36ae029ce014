// The systemd unit is valid and hardened.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFolder } from '../../support/run.ts';

const unit = join(import.meta.dirname, '../../../examples/team/whalewatch.service');
const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
const skip = analyze('--version').error && 'systemd-analyze is not installed';

test('systemd-analyze finds nothing wrong with the unit', { skip }, () => {
  const { status, stderr, stdout } = analyze('verify', unit);
  assert.equal(status, 0, stderr + stdout);
  assert.equal(stderr, '');
});

test('the unit has an exposure level of at most 2 of 10', { skip }, (t) => {
  const exposed = (file: string) => {
    const { stdout } = analyze('security', '--offline=true', '--no-pager', file);
    return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
  };
  assert.ok(exposed(unit) <= 2, String(exposed(unit)));
  const open = join(dataFolder(t), 'whalewatch.service');
  writeFileSync(
    open,
    readFileSync(unit, 'utf8').replace(/^(Protect|Private|Restrict|SystemCall|Capability|NoNew).*$/gm, ''),
  );
  assert.ok(exposed(open) > 5);
});
