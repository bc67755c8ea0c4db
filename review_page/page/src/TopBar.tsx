/** The bar at the top: the folder, what is being done, and the dialogs. */

import { atWork, broken, imageList, reading, session, stopSegmenting, withoutResult } from "./state/folder";
import { openId } from "./state/route";
import { openWindow } from "./state/windows";
import { Action } from "./ui/Action";

export function TopBar() {
  const known = session.value;
  const counts = { accepted: 0, rejected: 0, none: 0 };
  for (const entry of imageList.value) counts[entry.verdict] += 1;
  return (
    <header class="top-bar">
      <strong>{known?.folderName ?? "cellspan review"}</strong>
      <span class="dim folder" title={known?.folder}>
        {known?.folder}
      </span>
      <span role="status" class="dim">
        {counts.accepted} accepted, {counts.rejected} rejected, {counts.none} to judge
      </span>
      <span class="room" />
      {reading.value > 0 && (
        <span class="dim">
          {reading.value === 1 ? "1 file is still being read" : `${reading.value} files are still being read`}
        </span>
      )}
      {atWork.value > 0 && (
        <span class="working">
          <span>{atWork.value === 1 ? "1 image in work" : `${atWork.value} images in work`}</span>
          <button type="button" onClick={stopSegmenting}>
            Stop
          </button>
        </span>
      )}
      {openId.value === null && (
        <Action keys="G" kind={withoutResult.value.length ? "main" : ""} onClick={() => open("segment")}>
          Segment …
        </Action>
      )}
      <Action keys="Ctrl+S" onClick={() => open("save")}>
        Save …
      </Action>
      <Action keys="T" onClick={() => open("teach")}>
        Teach a model …
      </Action>
      <Action keys="?" onClick={() => open("help")}>
        Keys
      </Action>
      {broken.value && (
        <p class="broken" role="alert">
          {broken.value}
        </p>
      )}
    </header>
  );
}

function open(name: NonNullable<typeof openWindow.value>): void {
  openWindow.value = name;
}
