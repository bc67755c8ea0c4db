/** Which view is open, kept in the address so that reload, back and bookmarks work. */

import { signal } from "@preact/signals";

/** The image that is open; null = the grid. */
export const openId = signal<string | null>(null);

export function idIn(hash: string): string | null {
  const found = /^#\/image\/(.+)$/.exec(hash);
  return found?.[1] ? decodeURIComponent(found[1]) : null;
}

export const addressOf = (id: string) => `#/image/${encodeURIComponent(id)}`;

export function followAddress(): void {
  const read = () => {
    openId.value = idIn(window.location.hash);
  };
  read();
  window.addEventListener("hashchange", read);
}

export function goToImage(id: string): void {
  window.location.hash = addressOf(id);
}

export function goToGrid(): void {
  window.location.hash = "#/";
}
