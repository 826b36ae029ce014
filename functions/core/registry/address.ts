// IP addresses as registries write them.

const v4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;

function isV6(text: string): boolean {
  const groups = text.replace(/(?<=:)\d+\.\d+\.\d+\.\d+$/, (last) => (v4.test(last) ? '0:0' : last));
  const [head, tail, ...more] = groups.split('::');
  const count = [head, tail ?? ''].join(':').split(':').filter(Boolean).length;
  const sound = /^[0-9a-f]{1,4}(:[0-9a-f]{1,4})*$/i;
  if (more.length > 0 || ![head, tail ?? ''].every((half) => half === '' || sound.test(half))) return false;
  return tail === undefined ? count === 8 : count < 8;
}

/** The IP address in `ip:port`, `[v6]:port` or a bare address; '' if there is none. */
export function addressOf(addr: unknown): string {
  if (typeof addr !== 'string') return '';
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(addr);
  const bare = bracketed ? bracketed[1] : addr.replace(/^([^:]+):\d+$/, '$1');
  const address = bare.split('%', 1)[0].replace(/^::ffff:(?=\d+\.)/i, '');
  if (v4.test(address)) return address;
  return isV6(address) ? address.toLowerCase() : '';
}
