/** A button that names its key. */

import type { ComponentChildren } from "preact";

interface Props {
  onClick: () => void;
  children: ComponentChildren;
  keys?: string;
  title?: string;
  disabled?: boolean;
  pressed?: boolean;
  kind?: string;
}

export function Action({ onClick, children, keys, title, disabled = false, pressed, kind = "" }: Props) {
  const words = [title, keys && `Key: ${keys}`].filter(Boolean).join(" ");
  return (
    <button
      type="button"
      class={kind}
      title={words || undefined}
      disabled={disabled}
      aria-pressed={pressed}
      aria-keyshortcuts={keys?.replace(/\+$/, "Plus").replace(/Ctrl\+/g, "Control+")}
      onClick={onClick}
    >
      {children}
      {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd takes no focus, and aria-keyshortcuts says it */}
      {keys && <kbd aria-hidden="true">{keys}</kbd>}
    </button>
  );
}
