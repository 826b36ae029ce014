/** What was set can't work. The message says what is wrong, the value, and what it must be; one line a setting. */
export class SettingError extends Error {
  override name = 'SettingError';
}
