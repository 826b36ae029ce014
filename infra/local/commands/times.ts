// Converts times as exports write them to RFC 3339.

/** The name of a zone in `--zone`: an IANA name, UTC or an offset. */
export class Zone {
  readonly name: string;
  readonly #offset: (utc: number) => number;

  /** Throws a RangeError for a zone that does not exist. */
  constructor(name: string) {
    this.name = name;
    const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(name);
    if (fixed) {
      const minutes = (Number(fixed[2]) * 60 + Number(fixed[3])) * (fixed[1] === '-' ? -1 : 1);
      this.#offset = () => minutes * 60_000;
      return;
    }
    const format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: name, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
    this.#offset = (utc) => {
      const part = Object.fromEntries(format.formatToParts(utc).map(({ type, value }) => [type, Number(value)]));
      const local = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
      return local - Math.floor(utc / 1000) * 1000;
    };
  }

  /**
   * The moment at which clocks of the zone show `local` (milliseconds, read as UTC); in a repeated hour, the first one.
   */
  utc(local: number): number {
    const before = local - this.#offset(local - 86_400_000);
    const after = local - this.#offset(local + 86_400_000);
    // The zone's offset at either candidate decides; a time that is skipped by a jump uses the offset before it.
    return [before, after].find((utc) => utc + this.#offset(utc) === local) ?? before;
  }
}

const written =
  /^(\d{4})[-/](\d\d?)[-/](\d\d?)(?:(?:[Tt]| +)(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)? *(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i;

/**
 * Returns an RFC 3339 time for a time with a space, slashes, without seconds, time of day or zone, or in seconds,
 * milliseconds, microseconds or nanoseconds since 1970; anything else unchanged. `zoneless` is called if `zone` was
 * needed.
 */
export function rfc3339Of(time: unknown, zone: Zone, zoneless: () => void): unknown {
  const text = typeof time === 'number' ? String(time) : typeof time === 'string' ? time.trim() : undefined;
  if (text === undefined) return time;
  if (/^\d{9,10}(\.\d+)?$/.test(text)) return isoOf(Number(text) * 1000) ?? time;
  if (/^(\d{12,13}|\d{15,16}|\d{18,19})$/.test(text))
    return isoOf(Number(text) / 1000 ** Math.ceil((text.length - 13) / 3)) ?? time;
  const parts = written.exec(text);
  if (!parts) return time;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset] = parts;
  const two = (part: string) => part.padStart(2, '0');
  const local = `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
  const rest = fraction && `.${fraction.slice(0, 9)}`;
  if (offset)
    return `${local}${rest}${/^(z|utc)$/i.test(offset) ? 'Z' : offset.replace(/^(...):?(..)?$/, (_, hours, minutes = '00') => `${hours}:${minutes}`)}`;
  const asUtc = Date.parse(`${local}Z`);
  // The caller reports a day that does not exist.
  if (Number.isNaN(asUtc) || new Date(asUtc).getUTCDate() !== Number(day)) return time;
  zoneless();
  return `${new Date(zone.utc(asUtc)).toISOString().slice(0, 19)}${rest}Z`;
}

function isoOf(milliseconds: number): string | undefined {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
