/** Keeps only the rows of a long grid in the page that are in view, so that thousands of images scroll without a stall. */

import { useSignal } from "@preact/signals";
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

export interface Rows {
  items: VirtualItem[];
  total: number;
  scrollTo: (row: number) => void;
}

/** Rows of one height each within a scrolling element. */
export function useVirtualRows(scroller: RefObject<HTMLElement | null>, count: number, height: number): Rows {
  const changes = useSignal(0);
  changes.value; // draws again when the rows in view change
  const virtual = useRef<Virtualizer<HTMLElement, HTMLElement> | null>(null);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 2,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => {
      changes.value += 1;
    },
  };
  virtual.current ??= new Virtualizer<HTMLElement, HTMLElement>(options);
  const rows = virtual.current;
  rows.setOptions(options);
  useEffect(() => rows._didMount(), [rows]);
  useLayoutEffect(() => rows._willUpdate());
  // another height is another layout
  useLayoutEffect(() => rows.measure(), [rows, height]);
  return {
    items: rows.getVirtualItems(),
    total: rows.getTotalSize(),
    scrollTo: (row) => rows.scrollToIndex(row, { align: "auto" }),
  };
}
