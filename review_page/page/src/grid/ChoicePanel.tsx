/** What is shown in the grid: search, order, and filters with the number of images that each has. */

import { choice, choose, shownImages } from "../state/choice";
import { imageList } from "../state/folder";
import {
  EVERYTHING,
  FLAG_HELP,
  FLAG_WORDS,
  FLAGS,
  ORDERS,
  type Order,
  STATE_WORDS,
  STATES,
  tally,
  toggled,
  VERDICT_WORDS,
  VERDICTS,
} from "./choosing";

export function ChoicePanel() {
  const entries = imageList.value;
  const { text, states, verdicts, flags, order } = choice.value;
  const narrowed = text !== "" || states.length + verdicts.length + flags.length > 0;
  return (
    <aside class="choice" aria-label="Filter and sort">
      <label for="search">Search</label>
      <input
        id="search"
        type="search"
        placeholder="Name, folder or well"
        value={text}
        onInput={(event) => choose({ text: event.currentTarget.value })}
      />
      <label for="order">Sort</label>
      <select
        id="order"
        value={order}
        onChange={(event) => choose({ order: event.currentTarget.value as Order })}
      >
        {Object.entries(ORDERS).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
      <Filter
        title="Flags"
        values={FLAGS}
        words={FLAG_WORDS}
        help={FLAG_HELP}
        counts={tally(entries, (entry) => entry.flags)}
        chosen={flags}
        onChange={(next) => choose({ flags: next })}
      />
      <Filter
        title="Verdict"
        values={VERDICTS}
        words={VERDICT_WORDS}
        counts={tally(entries, (entry) => [entry.verdict])}
        chosen={verdicts}
        onChange={(next) => choose({ verdicts: next })}
      />
      <Filter
        title="State"
        values={STATES}
        words={STATE_WORDS}
        counts={tally(entries, (entry) => [entry.state])}
        chosen={states}
        onChange={(next) => choose({ states: next })}
      />
      <p role="status">
        {narrowed ? `${shownImages.value.length} of ${entries.length} images` : `${entries.length} images`}
      </p>
      <button type="button" disabled={!narrowed} onClick={() => choose({ ...EVERYTHING, order })}>
        Show all
      </button>
    </aside>
  );
}

interface FilterProps {
  title: string;
  values: readonly string[];
  words: Record<string, string>;
  help?: Record<string, string>;
  counts: Record<string, number>;
  chosen: string[];
  onChange: (chosen: string[]) => void;
}

function Filter({ title, values, words, help, counts, chosen, onChange }: FilterProps) {
  return (
    <fieldset>
      <legend>{title}</legend>
      {values.map((value) => (
        <label key={value} class="check" title={help?.[value]}>
          <input
            type="checkbox"
            checked={chosen.includes(value)}
            onChange={() => onChange(toggled(chosen, value))}
          />
          <span>{words[value]}</span>
          <span class="number">{counts[value] ?? 0}</span>
        </label>
      ))}
    </fieldset>
  );
}
