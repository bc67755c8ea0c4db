/** The sentences in the lower corner, read out by screen readers. */

import { dismiss, notices } from "../state/notices";

export function Notices() {
  return (
    <div class="notices" role="log" aria-live="polite" aria-label="Messages">
      {notices.value.map(({ key, kind, sentence }) => (
        <p key={key} class={kind}>
          <span>{sentence}</span>
          <button type="button" class="quiet" aria-label="Close this message" onClick={() => dismiss(key)}>
            ×
          </button>
        </p>
      ))}
    </div>
  );
}
