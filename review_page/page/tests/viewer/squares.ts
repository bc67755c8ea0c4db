/** Square objects, for tests. */

import type { Outline } from "../../src/server/answers";

export function square(label: number, x: number, y: number, side: number): Outline {
  const polygon = [x, y, x + side, y, x + side, y + side, x, y + side];
  return { label, area: side * side, probability: 1, flowError: 0, edge: false, color: "#ff0000", polygon };
}
