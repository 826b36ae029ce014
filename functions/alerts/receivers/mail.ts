// Sends an alert by mail: plain text, its first line the subject.
import type { Alert } from '#core/rules.ts';

const waitMs = 10_000;
const longestSubject = 150;

export function mail(server: string, to: string[], from: string): (alert: Alert) => Promise<void> {
  // Loaded by the first mail: most servers send none.
  const transport = async () =>
    (await import('nodemailer')).createTransport({
      url: server,
      ...{ connectionTimeout: waitMs, greetingTimeout: waitMs, socketTimeout: waitMs },
      // Text that names people must not name files or addresses.
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
      // The whole error repeats the mail.
      const { code, responseCode, message } = cause as { code?: string; responseCode?: number; message: string };
      throw new Error(responseCode ? `it responded ${responseCode}` : `it can't be reached: ${code ?? message}`);
    }
  };
}
