// Sends an alert by mail, as plain text with its first line as the subject.
import type { Alert } from '#core/rules.ts';

const waitMs = 10_000;
const longestSubject = 150;

export function mail(server: string, to: string[], from: string): (alert: Alert) => Promise<void> {
  // Loaded only when the first mail is sent: most servers send none.
  const transport = async () =>
    (await import('nodemailer')).createTransport({
      url: server,
      ...{ connectionTimeout: waitMs, greetingTimeout: waitMs, socketTimeout: waitMs },
      // Names in the text must not be read as files or URLs to attach.
      ...{ disableFileAccess: true, disableUrlAccess: true },
    });
  return async ({ id, time, text, rule }) => {
    const [subject] = text.split('\n');
    try {
      await (await transport()).sendMail({
        from: { name: 'Whalewatch', address: from },
        to,
        subject: subject.slice(0, longestSubject),
        text: `${text}\n\n-- \nWhalewatch, ${rule}`,
        date: new Date(time),
        messageId: `<${id}@whalewatch>`,
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    } catch (cause) {
      // The whole error would contain the mail.
      const { code, responseCode, message } = cause as { code?: string; responseCode?: number; message: string };
      throw new Error(responseCode ? `it responded ${responseCode}` : `it can't be reached: ${code ?? message}`);
    }
  };
}
