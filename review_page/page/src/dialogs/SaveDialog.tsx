/** Saves labels, outlines for ImageJ, and training pairs. */

import { useSignal } from "@preact/signals";
import type { Saved, SaveKind } from "../server/answers";
import { save } from "../server/review";
import { imageList, images } from "../state/folder";
import { tellError } from "../state/notices";
import { openId } from "../state/route";
import { Dialog } from "../ui/Dialog";
import { WhichImages } from "./WhichImages";

const KINDS: { kind: SaveKind; words: string; help: string }[] = [
  { kind: "labels", words: "Labels", help: "A TIFF of each image in which every object has its number." },
  { kind: "rois", words: "Outlines for ImageJ", help: "A zip of ROIs of each image, for the ROI Manager." },
  {
    kind: "pairs",
    words: "Training pairs",
    help: "Image and labels of each image, as training of models takes them.",
  },
];

export function SaveDialog({ onClose }: { onClose: () => void }) {
  const kinds = useSignal<SaveKind[]>(["labels", "rois"]);
  const open = openId.value;
  const accepted = imageList.value.filter((entry) => entry.verdict === "accepted").length;
  const which = useSignal<"accepted" | "all" | "this">(
    open !== null ? "this" : accepted ? "accepted" : "all",
  );
  const saving = useSignal(false);
  const saved = useSignal<Saved | null>(null);

  async function run() {
    saving.value = true;
    try {
      const ids = which.value === "this" ? [open ?? ""] : which.value;
      saved.value = await save(kinds.value, ids);
    } catch (error) {
      tellError(error);
    } finally {
      saving.value = false;
    }
  }
  const options = [
    ...(open !== null ? [{ value: "this" as const, words: "This image" }] : []),
    { value: "accepted" as const, words: `Accepted images (${accepted})` },
    { value: "all" as const, words: "All images with objects" },
  ];
  return (
    <Dialog title="Save" onClose={onClose}>
      <p class="dim">Corrections and verdicts are always kept. This writes files for other programs.</p>
      <fieldset>
        <legend>What</legend>
        {KINDS.map(({ kind, words, help }) => (
          <label key={kind} class="check">
            <input
              type="checkbox"
              checked={kinds.value.includes(kind)}
              onChange={(event) => {
                const others = kinds.value.filter((other) => other !== kind);
                kinds.value = event.currentTarget.checked ? [...others, kind] : others;
              }}
            />
            <span>
              {words} <span class="dim">{help}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <WhichImages
        legend="Of which images"
        options={options}
        chosen={which.value}
        onChange={(chosen) => {
          which.value = chosen;
        }}
      />
      <button type="button" class="main" disabled={saving.value || kinds.value.length === 0} onClick={run}>
        {saving.value ? "Saving …" : "Save"}
      </button>
      {saved.value && <Written saved={saved.value} />}
    </Dialog>
  );
}

function Written({ saved }: { saved: Saved }) {
  return (
    <div role="status" class="written">
      <p>
        {saved.written.length === 1 ? "1 file was written" : `${saved.written.length} files were written`} to{" "}
        <code>{saved.folder}</code>:
      </p>
      <ul>
        {saved.written.slice(0, 50).map(({ path }) => (
          <li key={path}>
            <code>{path.startsWith(saved.folder) ? path.slice(saved.folder.length + 1) : path}</code>
          </li>
        ))}
      </ul>
      {saved.left.length > 0 && (
        <>
          <p>Left out:</p>
          <ul>
            {saved.left.slice(0, 50).map(({ id, sentence }) => (
              <li key={id}>
                {images.value.get(String(id))?.name ?? id}: {sentence}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
