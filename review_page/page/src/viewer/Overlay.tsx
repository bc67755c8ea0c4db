/** What is drawn over the picture: the selected objects, the line in the making and the keyboard's cross. */

import { tool } from "../state/opened";
import type { View } from "./camera";
import { selectedPieces } from "./control";
import { cross, line } from "./line";

function path(polygon: number[]): string {
  const points: string[] = [];
  for (let i = 0; i < polygon.length; i += 2) points.push(`${polygon[i]},${polygon[i + 1]}`);
  return `M${points.join("L")}`;
}

export function Overlay({ view }: { view: View }) {
  const drawing = tool.value === "draw";
  const points = line.value;
  return (
    <svg class="overlay" aria-hidden="true">
      <g transform={`translate(${view.x} ${view.y}) scale(${view.zoom})`}>
        {selectedPieces.value.map(({ outer, holes }) => {
          const d = [outer, ...holes].map((ring) => `${path(ring.polygon)}Z`).join("");
          return [<path key={`${d}under`} d={d} class="under" />, <path key={d} d={d} class="selected" />];
        })}
        {points.length > 0 && (
          <path d={path(points) + (drawing ? "Z" : "")} class={drawing ? "line closed" : "line"} />
        )}
        {points.length === 2 && <circle cx={points[0]} cy={points[1]} r={3 / view.zoom} class="point" />}
      </g>
      {cross.value && (
        <Cross x={view.zoom * cross.value[0] + view.x} y={view.zoom * cross.value[1] + view.y} />
      )}
    </svg>
  );
}

function Cross({ x, y }: { x: number; y: number }) {
  const d = `M${x - 14},${y}h10m8,0h10M${x},${y - 14}v10m0,8v10`;
  return (
    <g data-testid="cross">
      <path d={d} class="under" />
      <path d={d} class="cross" />
    </g>
  );
}
