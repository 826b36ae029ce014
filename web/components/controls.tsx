// What a reader chooses, searches and confirms with.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ServiceError } from '../api.ts';

export function Segments<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string;
  options: readonly (readonly [value: T, text: string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own box
    <div class="segments" role="group" aria-label={label}>
      {options.map(([option, text]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => onChange(option)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A search field that reports its text after a pause in typing, and follows the back button. */
export function Search({ label, value, onSearch }: { label: string; value: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(value);
  const said = useRef(value);
  const newest = useRef(onSearch);
  newest.current = onSearch;
  useEffect(() => {
    if (value === said.current) return;
    said.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    if (text === said.current) return;
    const timer = setTimeout(() => {
      said.current = text;
      newest.current(text);
    }, 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <search class="search">
      <input
        class="field"
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </search>
  );
}

/** A button that asks for confirmation. The dialog shows errors of the service. */
export function Confirmed({
  button,
  danger,
  title,
  children,
  sure,
  typed,
  act,
}: {
  button: string;
  /** For what can't be undone. */
  danger?: boolean;
  title: string;
  /** What will happen. */
  children: ComponentChildren;
  /** The label of the button that confirms. */
  sure: string;
  /** Text that must be typed first, where a mistake would be costly. */
  typed?: string;
  act: () => Promise<void>;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [text, setText] = useState('');
  const [error, setError] = useState<ServiceError>();
  const isTyped = typed === undefined || text.normalize('NFC') === typed.normalize('NFC');
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await act();
      dialog.current?.close();
    } catch (cause) {
      setError(cause as ServiceError);
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class={danger ? 'button danger' : 'quiet'} onClick={() => setOpen(true)}>
        {button}
      </button>
      {open && (
        <dialog
          ref={dialog}
          aria-label={title}
          onClose={() => {
            setOpen(false);
            setText('');
            setError(undefined);
          }}
        >
          <h2>{title}</h2>
          <p>{children}</p>
          {typed !== undefined && (
            <label class="typed">
              <span>
                Type <b>{typed}</b> to confirm
              </span>
              <input
                class="field"
                autocomplete="off"
                spellcheck={false}
                value={text}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            </label>
          )}
          {error && (
            <p role="alert">
              {error.isPrivate ? 'This is not for your role: sign in with another, and try again.' : error.message}
            </p>
          )}
          <div class="choices">
            <button type="button" class="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button
              type="button"
              class={danger ? 'button sure danger' : 'button sure'}
              disabled={busy || !isTyped}
              onClick={run}
            >
              {sure}
            </button>
          </div>
        </dialog>
      )}
    </>
  );
}

/** Rarely used actions, behind three dots. */
export function Acts({ children }: { children: ComponentChildren }) {
  return (
    <details
      class="acts"
      onKeyDown={(event) => {
        if (event.key === 'Escape' && !event.currentTarget.querySelector('dialog'))
          event.currentTarget.removeAttribute('open');
      }}
    >
      <summary class="icon" aria-label="More">
        <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" fill="currentColor">
          <circle cx="4" cy="10" r="1.7" />
          <circle cx="10" cy="10" r="1.7" />
          <circle cx="16" cy="10" r="1.7" />
        </svg>
      </summary>
      <div>{children}</div>
    </details>
  );
}
