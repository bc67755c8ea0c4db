/** Draws the image: for every tile in view and every channel one rectangle, added up in the channels' colours. */

import {
  AddEquation,
  BufferAttribute,
  BufferGeometry,
  CustomBlending,
  DataTexture,
  DoubleSide,
  GLSL3,
  Group,
  Mesh,
  OneFactor,
  RawShaderMaterial,
  RedIntegerFormat,
  UnsignedShortType,
  Vector2,
  Vector3,
  Vector4,
} from "three";
import type { ImageDetails } from "../server/answers";
import { type Plane, TILE, type Tile, type TileAddress } from "../server/review";
import type { Size, View } from "./camera";
import { seen } from "./camera";
import { asFraction, type ChannelView, rgb } from "./contrast";
import type { Placing } from "./placing";
import { TILE_FRAGMENT, TILE_VERTEX } from "./shaders";
import { type StoredTile, TileStore } from "./tile_store";
import { boxOf, coarser, levelFor, type TilePlace, tilesIn } from "./tiles";

type Drawn = StoredTile<DataTexture>;

function asTexture({ width, height, pixels }: Tile): DataTexture {
  const texture = new DataTexture(pixels, width, height, RedIntegerFormat, UnsignedShortType);
  texture.internalFormat = "R16UI";
  texture.unpackAlignment = 1;
  texture.needsUpdate = true;
  return texture;
}

function unitSquare(): BufferGeometry {
  const square = new BufferGeometry();
  square.setAttribute(
    "position",
    new BufferAttribute(new Float32Array([0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0]), 3),
  );
  square.setIndex([0, 1, 2, 2, 1, 3]);
  return square;
}

export class ImageLayer {
  readonly group = new Group();
  private readonly square = unitSquare();
  private readonly store: TileStore<DataTexture>;
  private readonly pool: Mesh<BufferGeometry, RawShaderMaterial>[] = [];
  private used = 0;

  constructor(
    private readonly image: ImageDetails,
    private readonly placing: Placing,
    arrived: (error?: unknown) => void,
  ) {
    this.store = new TileStore(image.id, asTexture, (texture) => texture.dispose(), arrived);
  }

  /** Whether everything in view is drawn at its own resolution. */
  get complete(): boolean {
    return this.store.complete;
  }

  /** Lay out what is in view; tiles that are missing are asked for, and coarser ones stand in meanwhile. */
  update(view: View, screen: Size, pixelRatio: number, plane: Plane, channels: ChannelView[]): void {
    const { levels } = this.image;
    const level = levelFor(levels, view.zoom * pixelRatio);
    const coarsest = levels.length - 1;
    const inView = tilesIn(levels, level, seen(view, screen));
    const shown = channels.flatMap((channel, index) => (channel.shown ? [index] : []));
    const all = (places: TilePlace[]) =>
      places.flatMap((at) => shown.map((channel) => ({ ...at, ...plane, channel })));
    const standIns = coarsest > level ? tilesIn(levels, coarsest, seen(view, screen)) : [];
    this.store.want([...all(standIns), ...all(inView)]);
    this.used = 0;
    for (const address of all(inView)) this.drawTile(address, channels[address.channel] as ChannelView);
    for (let i = this.used; i < this.pool.length; i++) (this.pool[i] as Mesh).visible = false;
  }

  /** The intensity at an image pixel as 0 to 65535; null where no tile of full resolution is loaded. */
  intensity(plane: Plane, channel: number, x: number, y: number): number | null {
    const place = { level: 0, x: Math.floor(x / TILE), y: Math.floor(y / TILE) };
    const tile = this.store.get({ ...plane, ...place, channel })?.tile;
    const column = Math.floor(x) - place.x * TILE;
    const row = Math.floor(y) - place.y * TILE;
    if (!tile || column < 0 || row < 0 || column >= tile.width || row >= tile.height) return null;
    return tile.pixels[row * tile.width + column] ?? null;
  }

  private drawTile(address: TileAddress, channel: ChannelView): void {
    const { levels } = this.image;
    const found = this.found(address);
    if (!found) return;
    const box = boxOf(levels, address);
    const from = boxOf(levels, found.address);
    const scale = levels[found.address.level]?.scale ?? 1;
    const mesh = this.next();
    const { uniforms } = mesh.material;
    const range = this.image.channelRanges[address.channel];
    if (!range) return;
    uniforms.pixels = { value: found.kept };
    uniforms.box?.value.set(box.left, box.top, box.right, box.bottom);
    uniforms.part?.value.set(
      (box.left - from.left) / scale,
      (box.top - from.top) / scale,
      (box.right - from.left) / scale,
      (box.bottom - from.top) / scale,
    );
    uniforms.contrast?.value.set(asFraction(channel.low, range), asFraction(channel.high, range));
    uniforms.tint?.value.set(...rgb(channel.color));
    mesh.material.uniformsNeedUpdate = true;
  }

  private found(address: TileAddress): Drawn | undefined {
    const own = this.store.get(address);
    if (own) return own;
    for (const place of coarser(this.image.levels, address)) {
      const stored = this.store.get({ ...address, ...place });
      if (stored) return stored;
    }
    return undefined;
  }

  private next(): Mesh<BufferGeometry, RawShaderMaterial> {
    let mesh = this.pool[this.used];
    if (!mesh) {
      mesh = new Mesh(this.square, this.material());
      mesh.frustumCulled = false;
      this.pool.push(mesh);
      this.group.add(mesh);
    }
    mesh.visible = true;
    this.used += 1;
    return mesh;
  }

  private material(): RawShaderMaterial {
    return new RawShaderMaterial({
      glslVersion: GLSL3,
      vertexShader: TILE_VERTEX,
      fragmentShader: TILE_FRAGMENT,
      uniforms: {
        ...this.placing,
        pixels: { value: null },
        box: { value: new Vector4() },
        part: { value: new Vector4() },
        contrast: { value: new Vector2() },
        tint: { value: new Vector3() },
      },
      depthTest: false,
      depthWrite: false,
      side: DoubleSide,
      transparent: true,
      blending: CustomBlending,
      blendEquation: AddEquation,
      blendSrc: OneFactor,
      blendDst: OneFactor,
    });
  }

  close(): void {
    this.store.close();
    this.square.dispose();
    for (const mesh of this.pool) mesh.material.dispose();
  }
}
