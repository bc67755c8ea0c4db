/** Keeps what was drawn: when the picture moves, the canvas moves, and only what comes into view is drawn anew.
 *
 * The canvas is larger than what is seen of it, so that most moves draw nothing at all.
 */

import { type Camera, type Scene, type WebGLRenderer, WebGLRenderTarget } from "three";
import type { Size } from "./camera";

/** A rectangle of the canvas, in its own pixels from the upper left corner. */
export interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where the picture is, in whole pixels of the canvas from the corner of what is seen. */
export interface Spot {
  zoom: number;
  x: number;
  y: number;
}

const MARGIN = 128; // CSS pixels of the canvas beyond each side of what is seen

export function holds(outer: Part, inner: Part): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

/** What two rectangles have in common; without width or height if that is nothing. */
export function overlap(one: Part, other: Part): Part {
  const [x, y] = [Math.max(one.x, other.x), Math.max(one.y, other.y)];
  const right = Math.min(one.x + one.width, other.x + other.width);
  const bottom = Math.min(one.y + one.height, other.y + other.height);
  return { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
}

/** The rest of a rectangle around one in it, as at most four rectangles. */
export function without(whole: Part, inner: Part): Part[] {
  if (!inner.width || !inner.height) return [whole];
  const { x, y, width, height } = whole;
  const [right, bottom] = [inner.x + inner.width, inner.y + inner.height];
  const parts = [
    { x, y, width, height: inner.y - y },
    { x, y: bottom, width, height: y + height - bottom },
    { x, y: inner.y, width: inner.x - x, height: inner.height },
    { x: right, y: inner.y, width: x + width - right, height: inner.height },
  ];
  return parts.filter((part) => part.width > 0 && part.height > 0);
}

export class KeptDrawing {
  private now: WebGLRenderTarget;
  private spare: WebGLRenderTarget;
  private spot: Spot | null = null;
  private drawn: Part = { x: 0, y: 0, width: 0, height: 0 };

  constructor(
    private readonly renderer: WebGLRenderer,
    private readonly scene: Scene,
    private readonly camera: Camera,
  ) {
    const make = () => new WebGLRenderTarget(1, 1, { depthBuffer: false });
    [this.now, this.spare] = [make(), make()];
  }

  /** Width of the canvas beyond each side of what is seen, in its own pixels. */
  get margin(): number {
    return Math.round(MARGIN * this.renderer.getPixelRatio());
  }

  /** What is seen has another size, in CSS pixels. */
  setSize(seen: Size): void {
    const { renderer, margin } = this;
    const { domElement: canvas } = renderer;
    const ratio = renderer.getPixelRatio();
    const pixels = (side: number) => Math.ceil(side * ratio) + 2 * margin;
    // half a pixel more, because it is rounded down
    const [width, height] = [pixels(seen.width) + 0.5, pixels(seen.height) + 0.5];
    renderer.setDrawingBufferSize(width / ratio, height / ratio, ratio);
    for (const target of [this.now, this.spare]) target.setSize(canvas.width, canvas.height);
    Object.assign(canvas.style, {
      left: `${-margin / ratio}px`,
      top: `${-margin / ratio}px`,
      width: `${canvas.width / ratio}px`,
      height: `${canvas.height / ratio}px`,
    });
    this.spot = null;
  }

  /** It looks different now, so that all of it has to be drawn. */
  forget(): void {
    this.spot = null;
  }

  /** Move the picture; the parts of the canvas that have to be drawn then. */
  moveTo(spot: Spot): Part[] {
    const { margin, spot: last, drawn } = this;
    const whole = { x: 0, y: 0, width: this.now.width, height: this.now.height };
    const seen = { x: margin, y: margin, width: whole.width - 2 * margin, height: whole.height - 2 * margin };
    if (last?.zoom !== spot.zoom) {
      // the margin is drawn when it is needed, which is not while people zoom or move a slider
      [this.spot, this.drawn] = [spot, seen];
      return [seen];
    }
    const [right, down] = [spot.x - last.x, spot.y - last.y];
    if (holds(drawn, { ...seen, x: seen.x - right, y: seen.y - down })) {
      this.place(right, down);
      return [];
    }
    const stays = overlap(whole, { ...drawn, x: drawn.x + right, y: drawn.y + down });
    if (stays.width && stays.height) {
      [this.now, this.spare] = [this.spare, this.now];
      this.copy(this.spare, this.now, stays, right, down);
    }
    [this.spot, this.drawn] = [spot, whole];
    return without(whole, stays);
  }

  /** Draw what is visible of the scene into a part. */
  draw({ x, y, width, height }: Part): void {
    const { now, renderer } = this;
    now.scissorTest = true;
    now.scissor.set(x, now.height - y - height, width, height); // counted from the lower left corner here
    renderer.setRenderTarget(now);
    renderer.render(this.scene, this.camera);
  }

  /** Bring what was drawn to the canvas. */
  present(): void {
    this.copy(this.now, null, this.drawn, 0, 0);
    this.place(0, 0);
  }

  private place(right: number, down: number): void {
    const { domElement: canvas } = this.renderer;
    const ratio = this.renderer.getPixelRatio();
    canvas.style.transform = `translate(${right / ratio}px, ${down / ratio}px)`;
  }

  /** Copy pixels to a part from where they were before they moved; null is the canvas.
   *
   * To draw them would take much longer without a graphics processor.
   */
  private copy(
    from: WebGLRenderTarget,
    to: WebGLRenderTarget | null,
    part: Part,
    right: number,
    down: number,
  ): void {
    const { renderer } = this;
    const gl = renderer.getContext() as WebGL2RenderingContext;
    renderer.setRenderTarget(from);
    const source = gl.getParameter(gl.DRAW_FRAMEBUFFER_BINDING) as WebGLFramebuffer;
    renderer.setRenderTarget(to);
    renderer.state.setScissorTest(false);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, source);
    const [left, bottom] = [part.x, from.height - part.y - part.height];
    const [end, top] = [left + part.width, bottom + part.height];
    const box = [left - right, bottom + down, end - right, top + down, left, bottom, end, top] as const;
    gl.blitFramebuffer(...box, gl.COLOR_BUFFER_BIT, gl.NEAREST);
  }

  close(): void {
    this.now.dispose();
    this.spare.dispose();
  }
}
