/** The tools of the image view: select, split, draw, delete, merge, undo; what is shown; zoom. */

import { showing } from "../state/appearance";
import * as opened from "../state/opened";
import { Action } from "../ui/Action";
import { beginDraw, beginSplit, navigation } from "../viewer/control";
import { clearLine } from "../viewer/line";

export function Toolbar() {
  const tool = opened.tool.value;
  const chosen = opened.selected.value.size;
  const image = opened.details.value;
  return (
    <div class="toolbar">
      <div role="group" aria-label="Correct">
        <Action
          pressed={tool === "select"}
          keys="V"
          onClick={select}
          title="Click on objects to select them."
        >
          Select
        </Action>
        <Action
          pressed={tool === "draw"}
          keys="D"
          onClick={beginDraw}
          title="Draw around an object that was missed."
        >
          Draw
        </Action>
        <Action
          pressed={tool === "split"}
          keys="S"
          disabled={chosen !== 1}
          onClick={beginSplit}
          title="Draw a line across the selected object."
        >
          Split
        </Action>
        <Action
          keys="M"
          disabled={chosen < 2}
          onClick={opened.mergeSelected}
          title="Make the selected objects one."
        >
          Merge
        </Action>
        <Action
          keys="Del"
          disabled={chosen === 0}
          onClick={opened.deleteSelected}
          title="Delete the selected objects."
        >
          Delete
        </Action>
      </div>
      <div role="group" aria-label="History">
        <Action keys="Ctrl+Z" disabled={!image?.canUndo} onClick={opened.undo}>
          Undo
        </Action>
        <Action keys="Ctrl+Y" disabled={!image?.canRedo} onClick={opened.redo}>
          Redo
        </Action>
      </div>
      <div role="group" aria-label="Show objects as">
        {(["outlines", "fill", "off"] as const).map((value) => (
          <Action
            key={value}
            pressed={showing.value === value}
            title="Key O goes from one to the next."
            onClick={() => {
              showing.value = value;
            }}
          >
            {{ outlines: "Outlines", fill: "Fill", off: "Off" }[value]}
          </Action>
        ))}
      </div>
      <div role="group" aria-label="Zoom">
        <Action keys="+" onClick={() => navigation.value?.zoomBy(1.5)}>
          Closer
        </Action>
        <Action keys="-" onClick={() => navigation.value?.zoomBy(1 / 1.5)}>
          Farther
        </Action>
        <Action keys="0" onClick={() => navigation.value?.fit()}>
          Whole image
        </Action>
        <Action keys="1" onClick={() => navigation.value?.actualSize()}>
          100 %
        </Action>
      </div>
    </div>
  );
}

export function select(): void {
  clearLine();
  opened.tool.value = "select";
}
