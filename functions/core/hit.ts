// One hit: a visit of the portal, as a sender gives it and as a stream line carries it.
import type { HitLine } from './event.ts';

/** What the lines of a record are handed to. */
export interface LineSink {
  hit(hit: HitLine): void;
  /** A line of another type, parsed. */
  other(line: { type: string }, number: number): void;
  bad(text: string, number: number, reason: string): void;
}

/** One line, without newline, in the order of keys that the parser reads fastest. */
export function encodeHit({ time, address, domain, action, id }: HitLine): string {
  return JSON.stringify({ type: 'hit', time, address, domain, action, id });
}

/** Reads a record's lines. Never throws: what is no line of ours goes to `bad` with a reason. */
export function parseLines(data: Uint8Array, sink: LineSink): void {
  const lines = new TextDecoder().decode(data).split('\n');
  for (const [number, text] of lines.entries()) {
    if (text === '') continue;
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      sink.bad(text, number, 'the line is no JSON');
      continue;
    }
    const type = typeof line === 'object' && line !== null && 'type' in line ? line.type : undefined;
    if (type === 'hit') {
      const hit = line as HitLine;
      const wrong = misfit(hit);
      if (wrong) sink.bad(text, number, wrong);
      else sink.hit(hit);
    } else if (type === 'registry' || type === 'rejected') sink.other(line as { type: string }, number);
    else sink.bad(text, number, 'the line has no type that is known: hit, registry or rejected');
  }
}

function misfit({ time, address, domain, action, id }: HitLine): string | undefined {
  if (typeof time !== 'number' || !Number.isFinite(time)) return 'hit: time is no number';
  if (typeof address !== 'string') return 'hit: address is no text';
  if (typeof domain !== 'string' || domain === '') return 'hit: domain is no text';
  if (typeof action !== 'string' || action === '') return 'hit: action is no text';
  if (id !== undefined && typeof id !== 'string') return 'hit: id is no text';
}

const label = /^(?!-)[\p{L}\p{N}_-]{1,63}(?<!-)$/u;

/** A hit as a sender gave it, checked; or the reason why it is none, which names the field, the value and the mend. */
export function validateHit(
  value: unknown,
  { address, now }: { address: string; now: number },
): HitLine | { reason: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { reason: 'a hit is an object such as {"domain": "portal.example"}' };
  const { domain, action = 'view', id, time = now, path } = value as Record<string, unknown>;
  if (typeof domain !== 'string') return { reason: 'domain is missing: give the host name of the portal' };
  const name = domain.toLowerCase().replace(/\.$/, '');
  if (name.length > 253 || !name.split('.').every((part) => label.test(part)))
    return { reason: `domain "${domain.slice(0, 80)}" is no host name: write portal.example` };
  if (typeof action !== 'string' || action.length < 1 || action.length > 64)
    return { reason: 'action is no text of 1 to 64 letters' };
  if (id !== undefined && (typeof id !== 'string' || id.length < 1 || id.length > 128))
    return { reason: 'id is no text of 1 to 128 letters' };
  if (path !== undefined && (typeof path !== 'string' || path.length > 2048))
    return { reason: 'path is no text of at most 2048 letters' };
  const stamp = typeof time === 'number' ? time : typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (!(stamp >= 0 && stamp < 8.64e15))
    return { reason: `time ${JSON.stringify(time)?.slice(0, 80)} is no RFC 3339 time` };
  return { type: 'hit', time: Math.round(stamp), address, domain: name, action, ...(id === undefined ? {} : { id }) };
}
