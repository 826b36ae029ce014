// npm run build:checks: writes docs/aws-checks.md from infra/checks.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checks, documentUrl, groups } from '../checks/all.ts';

/** The table of all checks, in Markdown. */
export function page(): string {
  const tables = Object.entries(groups).map(([title, group]) => {
    const rows = group.map(
      (check) => `| \`${check.id}\` | ${check.fact} | [${check.document.split('/')[0]}](${documentUrl(check)}) |`,
    );
    return `## ${title}\n\n| check | fact | document |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `# What the design leans on, and what holds it

<!-- written by npm run build:checks -->

${checks.length} facts about AWS. Each is a check of the template (\`infra/checks\`) that runs at every synthesis, also in an app of your own: a
fault stops it and names the check, the resource and the document. \`test/infra/checks.test.ts\` has a test for each: it holds in the
templates, and undoing it is seen.

${tables.join('\n')}`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../../docs/aws-checks.md'), page());
