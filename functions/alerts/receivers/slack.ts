// Posts an alert as a message to an incoming webhook: Slack's form, which Mattermost and Discord (/slack) take too.
import type { Alert } from '#core/rules.ts';
import { post } from './post.ts';

/** Discord refuses longer ones. */
const longest = 1900;

export const slack =
  (url: string) =>
  ({ text }: Alert): Promise<void> =>
    post(url, JSON.stringify({ text: escaped(text.length > longest ? `${text.slice(0, longest)}…` : text) }));

/** A name must not be a link or call a whole channel: https://api.slack.com/reference/surfaces/formatting#escaping */
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('@', '@\u200b');
