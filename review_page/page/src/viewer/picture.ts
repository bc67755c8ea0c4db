/** The picture on the screen: image and outlines, drawn only when something has changed. */

import { Camera, Scene, WebGLRenderer } from "three";
import type { ImageDetails, Outline } from "../server/answers";
import type { Plane } from "../server/review";
import type { Size, View } from "./camera";
import type { ChannelView } from "./contrast";
import { ImageLayer } from "./image_layer";
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
      this.later();
    });
    this.scene.add(this.imageLayer.group, this.outlineLayer.group);
  }

  setOutlines(outlines: Outline[]): void {
    this.outlineLayer.setOutlines(outlines);
    this.later();
  }

  show(shown: Shown): void {
    const before = this.shown?.screen;
    if (before?.width !== shown.screen.width || before.height !== shown.screen.height)
      this.renderer.setSize(shown.screen.width, shown.screen.height, false);
    this.shown = shown;
    this.later();
  }

  /** The intensity at an image pixel as 0 to 65535; null where it is not loaded. */
  intensity(channel: number, x: number, y: number): number | null {
    return this.shown ? this.imageLayer.intensity(this.shown.plane, channel, x, y) : null;
  }

  private later(): void {
    if (!this.due) this.due = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.due = 0;
    if (!this.shown) return;
    const { view, screen, plane, channels, showing } = this.shown;
    place(this.placing, view, screen);
    this.imageLayer.update(view, screen, this.renderer.getPixelRatio(), plane, channels);
    this.outlineLayer.update(view, screen, showing);
    this.renderer.render(this.scene, this.camera);
    this.canvas.dataset.complete = String(this.imageLayer.complete);
  }

  close(): void {
    cancelAnimationFrame(this.due);
    this.imageLayer.close();
    this.outlineLayer.close();
    this.renderer.dispose();
  }
}
