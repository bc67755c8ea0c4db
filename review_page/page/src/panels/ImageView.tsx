/** One image: its picture, and beside it channels, settings and the selected objects. */

import { useEffect } from "preact/hooks";
import { factOf } from "../grid/Card";
import { FLAG_HELP, FLAG_WORDS, VERDICT_WORDS } from "../grid/choosing";
import type { ImageDetails, ImageEntry } from "../server/answers";
import { beginImage } from "../state/appearance";
import { position, step } from "../state/choice";
import * as opened from "../state/opened";
import { goToGrid, openId } from "../state/route";
import { Action } from "../ui/Action";
import { Viewer } from "../viewer/Viewer";
import { ChannelPanel } from "./ChannelPanel";
import { ObjectPanel } from "./ObjectPanel";
import { PlaneSliders } from "./PlaneSliders";
import { SettingsPanel } from "./SettingsPanel";
import { Toolbar } from "./Toolbar";

export function ImageView() {
  const image = opened.details.value;
  const failed = opened.entry.value?.state === "failed" && opened.entry.value.sentence;
  const ready = image !== null && image.id === openId.value && image.shape !== null;
  // channels are chosen anew for another image only
  useEffect(() => {
    if (image) beginImage(image);
  }, [image?.id]);
  return (
    <main class="image-view">
      <ImageBar entry={opened.entry.value} />
      <Toolbar />
      <div class="middle">
        <div class="picture">
          {ready ? (
            <Viewer key={image.id} image={image as ImageDetails & { shape: [number, number] }} />
          ) : (
            <p class="stage reading">{failed || "Reads the image …"}</p>
          )}
          {ready && <PlaneSliders image={image} />}
        </div>
        <aside class="panel" aria-label="Settings of the image">
          {ready && <ObjectPanel />}
          <SettingsPanel />
          {ready && <ChannelPanel image={image} />}
          {ready && image.notes.length > 0 && <Notes notes={image.notes} />}
        </aside>
      </div>
    </main>
  );
}

function Notes({ notes }: { notes: string[] }) {
  return (
    <section aria-labelledby="notes">
      <h2 id="notes">Notes</h2>
      {notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
    </section>
  );
}

/** Accept or reject; a second time takes it back. Goes on to the next image if it was accepted or rejected. */
export async function giveVerdict(verdict: "accepted" | "rejected"): Promise<void> {
  const now = opened.entry.value?.verdict;
  const next = now === verdict ? "none" : verdict;
  if ((await opened.giveVerdict(next)) && next !== "none") step(1);
}

function ImageBar({ entry }: { entry: ImageEntry | null }) {
  const { at, of } = position();
  return (
    <div class="image-bar">
      <Action keys="Esc" onClick={goToGrid}>
        All images
      </Action>
      <Action keys="P" disabled={at <= 1} onClick={() => step(-1)}>
        Previous
      </Action>
      <Action keys="N" disabled={at >= of} onClick={() => step(1)}>
        Next
      </Action>
      <span class="dim">
        {at} of {of}
      </span>
      <h1>{entry?.name ?? ""}</h1>
      {entry && (
        <span role="status" class="facts">
          {factOf(entry)}
          {entry.diameter !== null && `, diameter ${entry.diameter.toFixed(1)} pixels`}
          {entry.edited && ", corrected"}
        </span>
      )}
      {entry?.flags.map((flag) => (
        <span key={flag} class="flag" title={FLAG_HELP[flag]}>
          {FLAG_WORDS[flag] ?? flag}
        </span>
      ))}
      <span class="room" />
      {entry && <span class={`verdict ${entry.verdict}`}>{VERDICT_WORDS[entry.verdict]}</span>}
      <Action
        keys="A"
        kind="accept"
        pressed={entry?.verdict === "accepted"}
        disabled={!entry}
        onClick={() => giveVerdict("accepted")}
      >
        Accept
      </Action>
      <Action
        keys="R"
        kind="reject"
        pressed={entry?.verdict === "rejected"}
        disabled={!entry}
        onClick={() => giveVerdict("rejected")}
      >
        Reject
      </Action>
    </div>
  );
}
