// What a reader chooses, searches and confirms with.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ServiceError } from './api.ts';

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

/** A search field that speaks after a pause, not at each letter; the back button's text shows in it as well. */
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

/** A button whose act is asked about first; what the service says against it shows in the question. */
export function Confirmed({
  button,
  danger,
  title,
  children,
  sure,
  act,
}: {
  button: string;
  /** For what can't be undone. */
  danger?: boolean;
  title: string;
  /** What it will do. */
  children: ComponentChildren;
  /** On the button that does it. */
  sure: string;
  act: () => Promise<void>;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ServiceError>();
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
            setError(undefined);
          }}
        >
          <h2>{title}</h2>
          <p>{children}</p>
          {error && (
            <p role="alert">
              {error.isPrivate ? "That asks for the reader's token: sign in, and try again." : error.message}
            </p>
          )}
          <div class="choices">
            <button type="button" class="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="button" class={danger ? 'button sure danger' : 'button sure'} disabled={busy} onClick={run}>
              {sure}
            </button>
          </div>
        </dialog>
      )}
    </>
  );
}
