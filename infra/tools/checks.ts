// npm run build:checks: writes docs/aws-checks.md from infra/checks.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checks, documentUrl, groups } from '../checks/all.ts';

/** The table of all checks, in Markdown. */
export function page(): string {
  const tables = Object.entries(groups).map(([title, group]) => {
    const rows = group.map((check) => [
      `\`${check.id}\``,
      check.fact,
      `[${check.document.split('/')[0]}](${documentUrl(check)})`,
    ]);
    return `## ${title}\n\n${table(['check', 'fact', 'document'], rows)}\n`;
  });
  return `# Facts about AWS that the design relies on

<!-- written by npm run build:checks -->

${checks.length} facts about AWS. Each is a check of the template (\`infra/checks\`) that runs at every synthesis, also in your own app: a
fault stops the synthesis and names the check, the resource and the document. \`test/infra/checks.test.ts\` tests each: the templates
pass, and a template with the fault does not.

${tables.join('\n')}`;
}

/** A table in Markdown, its columns as wide as their widest cells. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((name, at) => Math.max(...[name, ...rows.map((row) => row[at])].map((cell) => cell.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../../docs/aws-checks.md'), page());
