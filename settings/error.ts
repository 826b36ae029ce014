/**
 * Thrown for settings that can't work. The message says what is wrong, the value, and what it must be, one line per
 * setting.
 */
export class SettingError extends Error {
  override name = 'SettingError';
}
