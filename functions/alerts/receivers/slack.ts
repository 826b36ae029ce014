// Posts an alert as a message to an incoming webhook, in Slack's format. Mattermost and Discord (/slack) accept it too.
import type { Alert } from '#core/rules.ts';
import { post } from './post.ts';

/** Discord refuses longer messages. */
const longest = 1900;

export const slack =
  (url: string) =>
  ({ text }: Alert): Promise<void> =>
    post(url, JSON.stringify({ text: escaped(text.length > longest ? `${text.slice(0, longest)}…` : text) }));

/**
 * A name must not become a link or mention a whole channel:
 * https://api.slack.com/reference/surfaces/formatting#escaping
 */
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('@', '@\u200b');
