/** The limits of a registry event, in characters; an item beyond them is quarantined. */
export const eventLimits = {
  id: 256,
  /** Repository, digest, media type, host. A longer user name is cut, and ends with a hash of the whole. */
  name: 255,
  tag: 128,
  /** Names of a type, an account or a region. */
  word: 64,
  /** Anything else. */
  text: 4096,
};
