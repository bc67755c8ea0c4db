/** How each channel is shown: its colour, its contrast, and whether it is shown at all. */

import type { ChannelRange, ImageDetails } from "../server/answers";

export interface ChannelView {
  name: string;
  shown: boolean;
  color: string;
  low: number;
  high: number;
}

/** What an image is shown with at first; at most this many channels at once. */
export const MOST_SHOWN = 4;

export function firstViews(image: Pick<ImageDetails, "channelNames" | "channelRanges">): ChannelView[] {
  return image.channelRanges.map((range, index) => ({
    name: image.channelNames[index] || `Channel ${index}`,
    shown: index < MOST_SHOWN,
    color: range.color,
    low: range.low,
    high: range.high,
  }));
}

/** A contrast limit in grey values as the fraction 0 to 1 that tiles are scaled to. */
export function asFraction(value: number, range: ChannelRange): number {
  const span = range.highest - range.lowest;
  return span > 0 ? (value - range.lowest) / span : 0;
}

/** "#rrggbb" as red, green and blue from 0 to 1. */
export function rgb(color: string): [number, number, number] {
  const number = Number.parseInt(color.replace("#", ""), 16);
  if (!/^#[0-9a-f]{6}$/i.test(color)) return [1, 1, 1];
  return [((number >> 16) & 255) / 255, ((number >> 8) & 255) / 255, (number & 255) / 255];
}
