/** The settings of the open image: outlines follow the sliders. */

import { folderSettings, segmentImages, session } from "../state/folder";
import * as opened from "../state/opened";
import { firstSpecs, otherSpecs } from "../state/settings";
import { openWindow } from "../state/windows";
import { Action } from "../ui/Action";
import { ModelField } from "./ModelField";
import { SettingFields } from "./SettingFields";

export function SettingsPanel() {
  const specs = session.value?.specs ?? [];
  const model = specs.find((spec) => spec.name === "model");
  const settings = opened.settings.value;
  const found = opened.entry.value?.state === "done";
  const fields = { settings, onChange: opened.setSetting };
  return (
    <section aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      {opened.entry.value?.newResults && <NewResults />}
      {opened.replacing.value ? <Replacing /> : <Hint />}
      <ModelField
        value={String(settings.model ?? session.value?.model ?? "")}
        onChange={(name) => model && opened.setSetting(model, name)}
      />
      <SettingFields specs={firstSpecs(specs)} {...fields} />
      <details>
        <summary>More settings</summary>
        <SettingFields specs={otherSpecs(specs)} {...fields} />
      </details>
      <div class="row">
        <Action
          onClick={segmentThis}
          keys="G"
          kind={opened.needsNetwork.value || opened.entry.value?.state === "none" ? "main" : ""}
        >
          {found ? opened.FIND_AGAIN : "Segment this image"}
        </Action>
        <button type="button" onClick={useForAll}>
          Use for other images …
        </button>
      </div>
    </section>
  );
}

export function segmentThis(): void {
  const id = opened.details.value?.id;
  if (id === undefined) return;
  opened.needsNetwork.value = null;
  void segmentImages([id], opened.settings.value);
}

function useForAll(): void {
  folderSettings.value = opened.settings.value;
  openWindow.value = "segment";
}

function Hint() {
  if (opened.needsNetwork.value) return <p class="hint">{opened.needsNetwork.value}</p>;
  return null;
}

/** The choice between what a person has made of the image and what a run has written since. */
function NewResults() {
  return (
    <div class="question" role="alert">
      <p>
        A run has written new results of this image since you changed it here. You see your version. If you
        take the new results, Undo brings it back.
      </p>
      <div class="row">
        <button type="button" class="main" onClick={() => opened.decideNewResults(true)}>
          Take the new results
        </button>
        <button type="button" onClick={() => opened.decideNewResults(false)}>
          Keep my version
        </button>
      </div>
    </div>
  );
}

/** The question that corrections by hand put before new outlines. */
function Replacing() {
  return (
    <div class="question" role="alert">
      <p>
        You have corrected this image. The outlines on show are a preview with the new settings. Replace your
        corrections?
      </p>
      <div class="row">
        <button type="button" class="main" onClick={() => opened.decideReplacing(true)}>
          Replace
        </button>
        <button type="button" onClick={() => opened.decideReplacing(false)}>
          Keep my corrections
        </button>
      </div>
    </div>
  );
}
