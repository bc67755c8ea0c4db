/** One line below the picture: zoom, place and intensities under the pointer, and the object there. */

import type { ImageDetails } from "../server/answers";
import { channelViews } from "../state/appearance";
import type { View } from "./camera";
import { places } from "./control";
import type { Picture } from "./picture";

interface Props {
  image: ImageDetails;
  picture: Picture | null;
  view: View;
  pointer: [number, number] | null;
}

export function Readout({ image, picture, view, pointer }: Props) {
  return (
    <p class="readout" aria-hidden="true">
      <span>{asPercent(view.zoom)}</span>
      {pointer && <span>{under(image, picture, pointer)}</span>}
    </p>
  );
}

function asPercent(zoom: number): string {
  const percent = 100 * zoom;
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

function under(image: ImageDetails, picture: Picture | null, [x, y]: [number, number]): string {
  const [height, width] = image.shape ?? [0, 0];
  if (x < 0 || y < 0 || x >= width || y >= height) return "";
  const intensities = channelViews.value.flatMap((channel, index) => {
    const range = image.channelRanges[index];
    const value = channel.shown && range ? (picture?.intensity(index, x, y) ?? null) : null;
    if (value === null || !range) return [];
    const grey = range.lowest + (value / 65535) * (range.highest - range.lowest);
    return [`${channel.name} ${range.highest - range.lowest > 20 ? Math.round(grey) : grey.toFixed(3)}`];
  });
  const label = places.value.at(x, y);
  const object = label === null ? [] : [`object ${label}`];
  return [`x ${Math.floor(x)}, y ${Math.floor(y)}`, ...intensities, ...object].join(" · ");
}
