/** What a registry event may have, in characters; an item that has more is quarantined. */
export const eventLimits = {
  id: 256,
  /** Repository, digest, media type, host. A user's longer name is cut, and ends in a hash of the whole. */
  name: 255,
  tag: 128,
  /** Names of a type, an account or a region. */
  word: 64,
  /** Anything else. */
  text: 4096,
};
