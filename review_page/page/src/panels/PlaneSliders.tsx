/** Sliders through the slices of a z-stack and the frames of a movie. */

import type { ImageDetails } from "../server/answers";
import { goToPlane, plane } from "../state/opened";

export function PlaneSliders({ image }: { image: ImageDetails }) {
  if (image.slices < 2 && image.frames < 2) return null;
  return (
    <div class="planes">
      <Steps name="Slice" at={plane.value.z} of={image.slices} onChange={(z) => goToPlane({ z })} />
      <Steps name="Frame" at={plane.value.t} of={image.frames} onChange={(t) => goToPlane({ t })} />
    </div>
  );
}

interface Props {
  name: string;
  at: number;
  of: number;
  onChange: (at: number) => void;
}

function Steps({ name, at, of, onChange }: Props) {
  if (of < 2) return null;
  return (
    <label>
      <span>{name}</span>
      <input
        type="range"
        min={0}
        max={of - 1}
        value={at}
        aria-label={name}
        aria-valuetext={`${at + 1} of ${of}`}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      <span class="number">
        {at + 1} / {of}
      </span>
    </label>
  );
}
