/** Zoom and pan by wheel, drag, pinch and keyboard, within bounds that keep the image in reach. */

import { select as element, type Selection } from "d3-selection";
import { type D3ZoomEvent, type ZoomBehavior, zoom, zoomIdentity, zoomTransform } from "d3-zoom";
import { type Box, centred, fitting, fittingZoom, type Size, toImage, toScreen, type View } from "./camera";
import { cross } from "./line";

const MOST_ZOOM = 40;

export class Navigation {
  private readonly behavior: ZoomBehavior<HTMLElement, unknown>;
  private readonly selection: Selection<HTMLElement, unknown, null, undefined>;

  /** `dragPans`: whether the first mouse button moves the image just now; the middle one always does. */
  constructor(
    private readonly target: HTMLElement,
    private readonly image: Size,
    private screen: Size,
    dragPans: () => boolean,
    moved: (view: View) => void,
  ) {
    this.selection = element<HTMLElement, unknown>(target);
    this.behavior = zoom<HTMLElement, unknown>()
      .filter(
        (event: MouseEvent) =>
          event.type === "wheel" || event.button === 1 || (event.button === 0 && dragPans()),
      )
      .clickDistance(4)
      .on("zoom", (event: D3ZoomEvent<HTMLElement, unknown>) => {
        moved({ zoom: event.transform.k, x: event.transform.x, y: event.transform.y });
      });
    this.setBounds();
    this.selection.call(this.behavior).on("dblclick.zoom", null);
    this.fit();
  }

  get view(): View {
    const { k, x, y } = zoomTransform(this.target);
    return { zoom: k, x, y };
  }

  private setBounds(): void {
    const { width, height } = this.image;
    const least = Math.min(1, fittingZoom(this.image, this.screen)) / 2;
    this.behavior
      .extent([
        [0, 0],
        [this.screen.width, this.screen.height],
      ])
      .scaleExtent([least, Math.max(MOST_ZOOM, 4 * least)])
      .translateExtent([
        [-0.75 * width, -0.75 * height],
        [1.75 * width, 1.75 * height],
      ]);
  }

  private go({ zoom: k, x, y }: View): void {
    this.selection.call(this.behavior.transform, zoomIdentity.translate(x, y).scale(k));
  }

  /** The window has another size: the middle of the picture stays. */
  resize(screen: Size): void {
    const { view } = this;
    const [x, y] = toImage(view, this.screen.width / 2, this.screen.height / 2);
    this.screen = screen;
    this.setBounds();
    this.go(centred(x, y, view.zoom, screen));
  }

  fit(): void {
    this.go(fitting(this.image, this.screen));
  }

  /** One image pixel is one pixel of the page, and lies on one, so that nothing is blurred or doubled. */
  actualSize(): void {
    this.selection.call(this.behavior.scaleTo, 1);
    const { zoom: k, x, y } = this.view;
    this.go({ zoom: k, x: Math.round(x), y: Math.round(y) });
  }

  zoomBy(factor: number): void {
    this.selection.call(this.behavior.scaleBy, factor);
  }

  panBy(right: number, down: number): void {
    const { zoom: k } = this.view;
    this.selection.call(this.behavior.translateBy, -right / k, -down / k);
  }

  /** Bring a part of the image into view, in the middle if it was outside or too small to be seen. */
  reveal(box: Box): void {
    const { view, screen } = this;
    const [left, top] = toImage(view, 0, 0);
    const [right, bottom] = toImage(view, screen.width, screen.height);
    const side = Math.max(box.right - box.left, box.bottom - box.top, 1);
    const inside = box.left >= left && box.top >= top && box.right <= right && box.bottom <= bottom;
    const large = side * view.zoom >= 24;
    if (inside && large) return;
    const wanted = large ? view.zoom : Math.min(MOST_ZOOM, 80 / side);
    this.go(centred((box.left + box.right) / 2, (box.top + box.bottom) / 2, wanted, screen));
  }

  /** Give the keyboard to the picture. */
  focus(): void {
    this.target.focus({ preventScroll: true });
  }

  /** Begin drawing by keyboard in the middle of what is seen. */
  startCross(): void {
    const { width, height } = this.screen;
    const [x, y] = toImage(this.view, width / 2, height / 2);
    cross.value = [Math.min(this.image.width, Math.max(0, x)), Math.min(this.image.height, Math.max(0, y))];
  }

  /** Move the picture so far that a point of it is seen, and not at the very edge. */
  keepInView(x: number, y: number): void {
    const [sx, sy] = toScreen(this.view, x, y);
    const beyond = (at: number, length: number) => Math.min(0, at - 30) + Math.max(0, at - length + 30);
    const [right, down] = [beyond(sx, this.screen.width), beyond(sy, this.screen.height)];
    if (right || down) this.panBy(right, down);
  }

  close(): void {
    this.selection.on(".zoom", null);
  }
}
