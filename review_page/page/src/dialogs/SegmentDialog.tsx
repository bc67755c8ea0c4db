/** Segments many images: which ones, by which model, with which settings. */

import { useSignal } from "@preact/signals";
import { ModelField } from "../panels/ModelField";
import { SettingFields } from "../panels/SettingFields";
import type { SettingSpec, SettingValue } from "../server/answers";
import { shownImages } from "../state/choice";
import { folderSettings, imageList, segmentImages, session, withoutResult } from "../state/folder";
import { firstSpecs, otherSpecs } from "../state/settings";
import { Dialog } from "../ui/Dialog";
import { WhichImages } from "./WhichImages";

type Which = "none yet" | "shown" | "all";

export function SegmentDialog({ onClose }: { onClose: () => void }) {
  const fresh = withoutResult.value.length;
  const which = useSignal<Which>(fresh ? "none yet" : "shown");
  const specs = session.value?.specs ?? [];
  const settings = folderSettings.value;
  const accepted = imageList.value.filter((entry) => entry.verdict === "accepted").length;
  const shown = shownImages.value.filter((entry) => entry.verdict !== "accepted");

  const change = (spec: SettingSpec, value: SettingValue) => {
    folderSettings.value = { ...folderSettings.value, [spec.name]: value };
  };
  function run() {
    const ids = which.value === "shown" ? shown.map((entry) => entry.id) : which.value;
    void segmentImages(ids, folderSettings.value);
    onClose();
  }
  const options: { value: Which; words: string }[] = [
    { value: "none yet", words: `Images without result (${fresh})` },
    { value: "shown", words: `The images shown in the grid (${shown.length})` },
    { value: "all", words: `All images (${imageList.value.length - accepted})` },
  ];
  return (
    <Dialog title="Segment images" onClose={onClose}>
      <WhichImages
        legend="Which images"
        options={options}
        chosen={which.value}
        onChange={(chosen) => {
          which.value = chosen;
        }}
        note={accepted > 0 ? "Accepted images stay as they are." : undefined}
      />
      <ModelField
        value={String(settings.model ?? session.value?.model ?? "")}
        onChange={(model) => {
          folderSettings.value = { ...folderSettings.value, model };
        }}
      />
      <SettingFields specs={firstSpecs(specs)} settings={settings} onChange={change} />
      <details>
        <summary>More settings</summary>
        <SettingFields specs={otherSpecs(specs)} settings={settings} onChange={change} />
      </details>
      <button type="button" class="main" onClick={run}>
        Segment
      </button>
    </Dialog>
  );
}
