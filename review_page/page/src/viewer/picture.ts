/** The picture on the screen: image and outlines, drawn only where something has changed. */

import { Camera, Scene, WebGLRenderer } from "three";
import type { ImageDetails, Outline } from "../server/answers";
import type { Plane } from "../server/review";
import { type Box, type Size, toImage, type View } from "./camera";
import type { ChannelView } from "./contrast";
import { ImageLayer } from "./image_layer";
import { KeptDrawing, type Part } from "./kept_drawing";
import { OutlineLayer, type Showing } from "./outline_layer";
import { place, placing } from "./placing";

/** All that decides what is drawn. */
export interface Shown {
  view: View;
  screen: Size;
  plane: Plane;
  channels: ChannelView[];
  showing: Showing;
}

export class Picture {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new Camera();
  private readonly placing = placing();
  private readonly outlineLayer = new OutlineLayer(this.placing);
  private readonly imageLayer: ImageLayer;
  private readonly kept: KeptDrawing;
  private shown: Shown | null = null;
  private due = 0;

  /** Raises an error if the browser has no WebGL 2. `failed` is told of tiles that cannot be read. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    image: ImageDetails,
    failed: (error: unknown) => void,
  ) {
    this.renderer = new WebGLRenderer({
      canvas,
      antialias: false,
      depth: false,
      stencil: false,
      alpha: false,
    });
    this.renderer.setPixelRatio(window.devicePixelRatio);
    this.renderer.sortObjects = false; // the image first, outlines over it, as they were added
    this.renderer.setClearColor(0x000000, 1);
    this.imageLayer = new ImageLayer(image, this.placing, (error) => {
      if (error) failed(error);
      this.anew();
    });
    this.scene.add(this.imageLayer.group, this.outlineLayer.group);
    this.kept = new KeptDrawing(this.renderer, this.scene, this.camera);
  }

  setOutlines(outlines: Outline[]): void {
    this.outlineLayer.setOutlines(outlines);
    this.anew();
  }

  show(shown: Shown): void {
    const { screen, plane, channels, showing } = this.shown ?? {};
    if (screen?.width !== shown.screen.width || screen.height !== shown.screen.height)
      this.kept.setSize(shown.screen);
    if (plane !== shown.plane || channels !== shown.channels || showing !== shown.showing) this.kept.forget();
    this.shown = shown;
    this.later();
  }

  /** The intensity at an image pixel as 0 to 65535; null where it is not loaded. */
  intensity(channel: number, x: number, y: number): number | null {
    return this.shown ? this.imageLayer.intensity(this.shown.plane, channel, x, y) : null;
  }

  private anew(): void {
    this.kept.forget();
    this.later();
  }

  private later(): void {
    if (!this.due) this.due = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.due = 0;
    if (!this.shown) return;
    const { view, showing } = this.shown;
    const ratio = this.renderer.getPixelRatio();
    const spot = { zoom: view.zoom, x: Math.round(view.x * ratio), y: Math.round(view.y * ratio) };
    const parts = this.kept.moveTo(spot);
    if (!parts.length) return;
    const box = this.prepare();
    for (const part of parts) {
      this.outlineLayer.update(view.zoom, box(part), showing);
      this.kept.draw(part);
    }
    this.kept.present();
    this.canvas.dataset.complete = String(this.imageLayer.complete);
  }

  /** Lay out the image for all of the canvas; gives the rectangle of the image that is in a part of the canvas. */
  private prepare(): (part: Part) => Box {
    const { view, plane, channels } = this.shown as Shown;
    const ratio = this.renderer.getPixelRatio();
    const margin = this.kept.margin / ratio;
    const { width, height } = this.renderer.domElement;
    const [onCanvas, size] = [
      { ...view, x: view.x + margin, y: view.y + margin },
      { width: width / ratio, height: height / ratio },
    ];
    place(this.placing, onCanvas, size);
    this.imageLayer.update(onCanvas, size, ratio, plane, channels);
    return (part) => {
      const [left, top] = toImage(onCanvas, part.x / ratio, part.y / ratio);
      const [right, bottom] = toImage(
        onCanvas,
        (part.x + part.width) / ratio,
        (part.y + part.height) / ratio,
      );
      return { left, top, right, bottom };
    };
  }

  close(): void {
    cancelAnimationFrame(this.due);
    this.imageLayer.close();
    this.outlineLayer.close();
    this.kept.close();
    this.renderer.dispose();
  }
}
