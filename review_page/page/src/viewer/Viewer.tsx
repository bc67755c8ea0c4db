/** The picture of the open image, with mouse and touch: pan, zoom, select, split, draw. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { ImageDetails } from "../server/answers";
import { channelViews, showing } from "../state/appearance";
import { tellError } from "../state/notices";
import * as opened from "../state/opened";
import { onPixel, type Size, toImage, type View } from "./camera";
import { finishLine, navigation, places } from "./control";
import { addPoint, clearLine, cross, lengthOf, line } from "./line";
import { Navigation } from "./navigation";
import { Overlay } from "./Overlay";
import { Picture } from "./picture";
import { Readout } from "./Readout";

const NO_WEBGL =
  "This browser has no WebGL 2, which the picture needs. Turn on hardware acceleration, or use a current Firefox or Chromium.";
const CLICK = 4; // screen pixels that a mouse may move during a click

export function Viewer({ image }: { image: ImageDetails & { shape: [number, number] } }) {
  const stage = useRef<HTMLElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = useSignal<Picture | null>(null);
  const view = useSignal<View>({ zoom: 1, x: 0, y: 0 });
  const screen = useSignal<Size>({ width: 1, height: 1 });
  const pointer = useSignal<[number, number] | null>(null);
  const problem = useSignal<string | null>(null);
  const [height, width] = image.shape;

  // a picture lives as long as its image
  useEffect(() => {
    const [onStage, onCanvas] = [stage.current, canvas.current];
    if (!onStage || !onCanvas) return;
    const size = () => ({
      width: Math.max(1, onStage.clientWidth),
      height: Math.max(1, onStage.clientHeight),
    });
    screen.value = size();
    try {
      picture.value = new Picture(onCanvas, image, tellError);
    } catch {
      problem.value = NO_WEBGL;
      return;
    }
    const pans = () => opened.tool.value === "select";
    const moves = new Navigation(onStage, { width, height }, screen.value, pans, (next) => {
      view.value = onPixel(next, window.devicePixelRatio);
    });
    navigation.value = moves;
    const resized = new ResizeObserver(() => {
      screen.value = size();
      moves.resize(screen.value);
    });
    resized.observe(onStage);
    onStage.focus({ preventScroll: true });
    return () => {
      resized.disconnect();
      moves.close();
      navigation.value = null;
      clearLine();
      picture.value?.close();
      picture.value = null;
    };
  }, [image.id]);

  useSignalEffect(() => {
    picture.value?.setOutlines(opened.outlines.value?.objects ?? []);
  });
  useSignalEffect(() => {
    picture.value?.show({
      view: view.value,
      screen: screen.value,
      plane: opened.plane.value,
      channels: channelViews.value,
      showing: showing.value,
    });
  });

  const gestures = useGestures(() => view.value, stage);
  const label = useComputed(
    () =>
      `${image.name}, ${opened.labels.value.length} objects in this plane. ${describeTool(opened.tool.value)}`,
  );
  return (
    <section
      ref={stage}
      class={`stage ${opened.tool.value}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard moves the picture and the cross in it
      tabIndex={0}
      aria-label={label.value}
      aria-busy={opened.outlines.value === null}
      data-testid="stage"
      onPointerDown={gestures.down}
      onPointerMove={(event) => {
        pointer.value = gestures.move(event);
      }}
      onPointerUp={gestures.up}
      onPointerLeave={() => {
        pointer.value = null;
      }}
      onDblClick={gestures.finish}
    >
      <canvas ref={canvas} />
      <Overlay view={view.value} />
      {opened.tool.value !== "select" && (
        <p class="how" aria-hidden="true">
          {HOW[opened.tool.value]} Or click its points and double-click the last one. Esc gives up.
        </p>
      )}
      {problem.value ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : (
        <Readout image={image} picture={picture.value} view={view.value} pointer={pointer.value} />
      )}
    </section>
  );
}

/** What to do with the mouse; screen readers are told in the label of the picture. */
const HOW = { split: "Drag a line across the selected object.", draw: "Drag around the object." };

function describeTool(tool: opened.Tool): string {
  if (tool === "split") return "Draw a line across the selected object. Keyboard: arrow keys, Space, Enter.";
  if (tool === "draw") return "Draw around a new object. Keyboard: arrow keys, Space, Enter.";
  return "Arrow keys move the picture, plus and minus zoom.";
}

/** What the mouse does beside panning, which `Navigation` does. */
function useGestures(view: () => View, stage: { current: HTMLElement | null }) {
  const began = useRef<{ x: number; y: number; shift: boolean; drags: boolean } | null>(null);

  function at(event: PointerEvent): [number, number] {
    const box = stage.current?.getBoundingClientRect();
    return toImage(view(), event.clientX - (box?.left ?? 0), event.clientY - (box?.top ?? 0));
  }

  function down(event: PointerEvent) {
    if (event.button !== 0) return;
    began.current = { x: event.clientX, y: event.clientY, shift: event.shiftKey, drags: false };
    if (opened.tool.value === "select") return;
    cross.value = null;
    stage.current?.setPointerCapture(event.pointerId);
    addPoint(...at(event));
  }

  function move(event: PointerEvent): [number, number] {
    const start = began.current;
    if (start && Math.hypot(event.clientX - start.x, event.clientY - start.y) > CLICK) start.drags = true;
    if (start?.drags && opened.tool.value !== "select") addFarPoint(at(event), 2 / view().zoom);
    return at(event);
  }

  function up(event: PointerEvent) {
    const start = began.current;
    began.current = null;
    if (!start) return;
    if (opened.tool.value === "select") {
      if (!start.drags) selectAt(at(event), start.shift);
    } else if (start.drags && lengthOf(line.value) * view().zoom > CLICK) void finishLine();
  }

  /** A double click ends a line of clicks; its second click added no new point. */
  function finish() {
    if (opened.tool.value !== "select" && line.value.length) {
      line.value = line.value.slice(0, -2);
      void finishLine();
    }
  }
  return { down, move, up, finish };
}

function addFarPoint([x, y]: [number, number], least: number): void {
  const [lastX, lastY] = line.value.slice(-2);
  if (lastX === undefined || lastY === undefined || Math.hypot(x - lastX, y - lastY) >= least) addPoint(x, y);
}

function selectAt([x, y]: [number, number], add: boolean): void {
  const label = places.value.at(x, y);
  if (label === null) {
    if (!add) opened.select([]);
  } else if (add) opened.toggle(label);
  else opened.select([label]);
}
