// Text to copy elsewhere.
import { useState } from 'preact/hooks';

export function Code({ label, text }: { label: string; text: string }) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      setSaid('Failed: select the text');
    }
    setTimeout(() => setSaid(''), 2000);
  };
  return (
    <section class="code" aria-label={label}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <button type="button" class="button" onClick={copy} aria-label={`Copy: ${label}`}>
        <span role="status">{said || 'Copy'}</span>
      </button>
    </section>
  );
}
