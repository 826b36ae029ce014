import { anonymousLeast, localAccess, privateHostsOn } from '#settings/access.ts';
import type { ResolvedSettings } from '#settings/schema.ts';

/** The settings that export needs. */
export const mapSettings = (settings: ResolvedSettings) => ({
  keepDays: settings.keepDays,
  mostDomains: settings.mostDomains,
  points: settings.points,
  anonymousLeast: anonymousLeast(settings, localAccess(settings)),
  privateHostsOn: privateHostsOn(settings, localAccess(settings)),
});
