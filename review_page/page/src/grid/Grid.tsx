/** The grid of all images that were chosen: scrolls through thousands, moved through by arrow keys. */

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { choice, shownImages } from "../state/choice";
import { images, judge } from "../state/folder";
import { gridFocus } from "../state/grid_focus";
import { Card } from "./Card";
import { useVirtualRows } from "./virtual_rows";

const CARD_WIDTH = 196;
const ROW_HEIGHT = 262;

export function Grid() {
  const scroller = useRef<HTMLElement>(null);
  const columns = useSignal(4);
  const entries = shownImages.value;
  const rows = useVirtualRows(scroller, Math.ceil(entries.length / columns.value), ROW_HEIGHT);

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const measure = () => {
      columns.value = Math.max(1, Math.floor((element.clientWidth - 16) / CARD_WIDTH));
    };
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    measure();
    return () => resized.disconnect();
  }, [columns]);

  const focused = Math.max(
    0,
    entries.findIndex((entry) => entry.id === gridFocus.value),
  );

  /** Another card gets the focus, and comes into view first if it is not in the page. */
  function moveTo(index: number) {
    const next = entries[Math.min(entries.length - 1, Math.max(0, index))];
    if (!next) return;
    gridFocus.value = next.id;
    rows.scrollTo(Math.floor(entries.indexOf(next) / columns.value));
    requestAnimationFrame(() => requestAnimationFrame(() => focusCard(scroller.current, next.id)));
  }

  // Coming back from an image, its card has the focus; a new choice begins at the top.
  useEffect(() => {
    if (gridFocus.peek() !== null) moveTo(focused);
  }, []);
  useSignalEffect(() => {
    choice.value;
    scroller.current?.scrollTo({ top: 0 });
  });

  function onKeyDown(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = columns.value * Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT));
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns.value,
      ArrowDown: columns.value,
      PageUp: -page,
      PageDown: page,
      Home: -entries.length,
      End: entries.length,
    };
    const by = steps[event.key];
    const entry = entries[focused];
    if (by !== undefined) moveTo(focused + by);
    else if (entry && event.key.toLowerCase() === "a") void giveVerdict(entry.id, "accepted");
    else if (entry && event.key.toLowerCase() === "r") void giveVerdict(entry.id, "rejected");
    else return;
    event.preventDefault();
  }

  return (
    <section
      class="grid"
      ref={scroller}
      onKeyDown={onKeyDown}
      aria-label="Images"
      // a scrolling region without cards has to be reachable
      tabIndex={entries.length ? -1 : 0}
    >
      {entries.length === 0 && (
        <p class="nothing">{images.value.size ? "No image matches." : "There are no images here."}</p>
      )}
      <div class="rows" style={{ height: `${rows.total}px` }}>
        {rows.items.map((row) => (
          <ul key={row.key} style={{ transform: `translateY(${row.start}px)`, "--columns": columns.value }}>
            {entries
              .slice(row.index * columns.value, (row.index + 1) * columns.value)
              .map((entry, column) => {
                const index = row.index * columns.value + column;
                return (
                  <Card
                    key={entry.id}
                    entry={entry}
                    index={index}
                    of={entries.length}
                    focused={index === focused}
                    onFocus={() => {
                      gridFocus.value = entry.id;
                    }}
                  />
                );
              })}
          </ul>
        ))}
      </div>
    </section>
  );
}

function focusCard(scroller: HTMLElement | null, id: string): void {
  scroller?.querySelector<HTMLElement>(`a[data-id="${CSS.escape(id)}"]`)?.focus({ preventScroll: true });
}

/** The same verdict a second time takes it back. */
async function giveVerdict(id: string, verdict: "accepted" | "rejected"): Promise<void> {
  const entry = images.value.get(id);
  if (entry) await judge(entry, entry.verdict === verdict ? "none" : verdict);
}
