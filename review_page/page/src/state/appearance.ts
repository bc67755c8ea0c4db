/** How images are shown: outlines or fill, and each channel's colour and contrast, kept from image to image. */

import { signal } from "@preact/signals";
import type { ImageDetails } from "../server/answers";
import { type ChannelView, firstViews } from "../viewer/contrast";
import type { Showing } from "../viewer/outline_layer";

export const showing = signal<Showing>("outlines");
export const channelViews = signal<ChannelView[]>([]);
/** Whether the next images keep these grey values, so that they can be compared. */
export const sameContrast = signal(false);

const ORDER: Showing[] = ["outlines", "fill", "off"];

export function nextShowing(): void {
  showing.value = ORDER[(ORDER.indexOf(showing.value) + 1) % ORDER.length] ?? "outlines";
}

/** Channels for an image: colours as they were chosen, grey values only if they are to stay. */
export function adopt(before: ChannelView[], image: ImageDetails, keepContrast: boolean): ChannelView[] {
  const own = firstViews(image);
  if (before.length !== own.length) return own;
  return own.map((view, index) => {
    const { shown, color, low, high } = before[index] as ChannelView;
    return keepContrast ? { ...view, shown, color, low, high } : { ...view, shown, color };
  });
}

export function beginImage(image: ImageDetails): void {
  channelViews.value = adopt(channelViews.value, image, sameContrast.value);
}

export function setChannel(index: number, part: Partial<ChannelView>): void {
  channelViews.value = channelViews.value.map((view, at) => (at === index ? { ...view, ...part } : view));
}

/** Grey values as the engine proposes them. */
export function automaticContrast(image: ImageDetails): void {
  const own = firstViews(image);
  channelViews.value = channelViews.value.map((view, index) => {
    const { low, high } = own[index] ?? view;
    return { ...view, low, high };
  });
}
