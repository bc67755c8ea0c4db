/** What every drawing program is told about the view; shared, so that a move changes one place. */

import { Vector2, Vector3 } from "three";
import type { Size, View } from "./camera";

export interface Placing {
  view: { value: Vector3 };
  screen: { value: Vector2 };
}

export function placing(): Placing {
  return { view: { value: new Vector3(1, 0, 0) }, screen: { value: new Vector2(1, 1) } };
}

export function place(uniforms: Placing, view: View, screen: Size): void {
  uniforms.view.value.set(view.zoom, view.x, view.y);
  uniforms.screen.value.set(screen.width, screen.height);
}
