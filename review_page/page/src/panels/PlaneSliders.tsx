/** Sliders through the slices of a z-stack and the frames of a movie. */

import type { ImageDetails } from "../server/answers";
import { goToPlane, plane } from "../state/opened";

export function PlaneSliders({ image }: { image: ImageDetails }) {
  if (image.slices < 2 && image.frames < 2) return null;
  return (
    <div class="planes">
      {image.slices > 1 && (
        <label>
          <span>Slice</span>
          <input
            type="range"
            min={0}
            max={image.slices - 1}
            value={plane.value.z}
            aria-label="Slice"
            aria-valuetext={`${plane.value.z + 1} of ${image.slices}`}
            onInput={(event) => goToPlane({ z: event.currentTarget.valueAsNumber })}
          />
          <span class="number">
            {plane.value.z + 1} / {image.slices}
          </span>
        </label>
      )}
      {image.frames > 1 && (
        <label>
          <span>Frame</span>
          <input
            type="range"
            min={0}
            max={image.frames - 1}
            value={plane.value.t}
            aria-label="Frame"
            aria-valuetext={`${plane.value.t + 1} of ${image.frames}`}
            onInput={(event) => goToPlane({ t: event.currentTarget.valueAsNumber })}
          />
          <span class="number">
            {plane.value.t + 1} / {image.frames}
          </span>
        </label>
      )}
    </div>
  );
}
