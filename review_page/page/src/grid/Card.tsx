/** One image in the grid: thumbnail, name, count, flags, verdict. */

import type { ImageEntry } from "../server/answers";
import { thumbnail } from "../server/review";
import { addressOf } from "../state/route";
import { FLAG_HELP, FLAG_WORDS, STATE_WORDS, VERDICT_WORDS } from "./choosing";

interface Props {
  entry: ImageEntry;
  index: number;
  of: number;
  focused: boolean;
  onFocus: () => void;
}

export function Card({ entry, index, of, focused, onFocus }: Props) {
  return (
    <li class={`card ${entry.verdict}`} aria-posinset={index + 1} aria-setsize={of}>
      <a
        href={addressOf(entry.id)}
        tabIndex={focused ? 0 : -1}
        data-index={index}
        data-id={entry.id}
        onFocus={onFocus}
        title={entry.name}
      >
        <span class="thumb">
          {/* Width and height are only room; the picture keeps its shape in it. */}
          <img
            src={thumbnail(entry.id, entry.revision)}
            alt=""
            loading="lazy"
            decoding="async"
            draggable={false}
          />
          {entry.state === "segmenting" && <progress max={1} value={entry.progress} aria-label="Progress" />}
        </span>
        <span class="name">{entry.name}</span>
        <span class="facts">
          {entry.well && <span>{entry.well}</span>}
          <span>{factOf(entry)}</span>
          {entry.edited && <span title="Corrected by hand">corrected</span>}
        </span>
        <span class="flags">
          {entry.verdict !== "none" && (
            <span class={`verdict ${entry.verdict}`}>{VERDICT_WORDS[entry.verdict]}</span>
          )}
          {entry.newResults && (
            <span class="flag" title="A run has written other results since you changed this image.">
              New results
            </span>
          )}
          {entry.state === "failed" && <span class="sentence">{entry.sentence}</span>}
          {entry.flags.map((flag) => (
            <span key={flag} class="flag" title={FLAG_HELP[flag]}>
              {FLAG_WORDS[flag] ?? flag}
            </span>
          ))}
        </span>
      </a>
    </li>
  );
}

/** The count, or what stands in its way. */
export function factOf(entry: ImageEntry): string {
  if (entry.state === "segmenting") return `Segmenting, ${Math.round(100 * entry.progress)} %`;
  const untouched = entry.state === "none" && !entry.edited;
  if (entry.count === null || untouched) return STATE_WORDS[entry.state] ?? entry.state;
  return entry.count === 1 ? "1 object" : `${entry.count} objects`;
}
