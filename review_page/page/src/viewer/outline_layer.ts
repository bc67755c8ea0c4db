/** Draws outlines or filled objects, in square regions of the image and at a detail that suits the zoom. */

import earcut from "earcut";
import {
  BufferAttribute,
  BufferGeometry,
  DoubleSide,
  GLSL3,
  Group,
  InstancedBufferAttribute,
  InstancedBufferGeometry,
  Mesh,
  RawShaderMaterial,
} from "three";
import type { Outline } from "../server/answers";
import type { Box, Size, View } from "./camera";
import { seen } from "./camera";
import { rgb } from "./contrast";
import { piecesOf } from "./pieces";
import { boxOfPolygon } from "./places";
import type { Placing } from "./placing";
import { FILL_FRAGMENT, FILL_VERTEX, LINE_FRAGMENT, LINE_VERTEX } from "./shaders";
import { simplified } from "./simplify";

export type Showing = "outlines" | "fill" | "off";

const REGION = 1024;
const WIDTH = 1.6;
const UNSEEN = 0.4; // screen pixels of difference that nobody sees

interface Region {
  box: Box;
  outlines: Outline[];
  meshes: Map<string, Mesh>;
}

/** How coarse outlines may be at a zoom, as a power of two: 0 = every point. */
export function detailFor(zoom: number): number {
  return zoom >= 1 ? 0 : Math.min(6, Math.floor(Math.log2(1 / zoom)) + 1);
}

export function toleranceOf(detail: number): number {
  return detail === 0 ? 0 : UNSEEN * 2 ** (detail - 1);
}

/** Outlines by the region in which they begin, each with the box around all of its outlines. */
export function regionsOf(outlines: Outline[]): Region[] {
  const regions = new Map<string, Region>();
  for (const outline of outlines) {
    const own = boxOfPolygon(outline.polygon);
    const key = `${Math.floor(own.left / REGION)} ${Math.floor(own.top / REGION)}`;
    const region: Region = regions.get(key) ?? { box: { ...own }, outlines: [], meshes: new Map() };
    region.outlines.push(outline);
    region.box.left = Math.min(region.box.left, own.left);
    region.box.top = Math.min(region.box.top, own.top);
    region.box.right = Math.max(region.box.right, own.right);
    region.box.bottom = Math.max(region.box.bottom, own.bottom);
    regions.set(key, region);
  }
  return [...regions.values()];
}

function bytesOf(color: string): [number, number, number] {
  const [r, g, b] = rgb(color);
  return [r * 255, g * 255, b * 255];
}

/** One instance for every stretch of every outline. */
function lineGeometry(outlines: Outline[], tolerance: number): InstancedBufferGeometry {
  const polygons = outlines.map((outline) => simplified(outline.polygon, tolerance));
  const count = polygons.reduce((sum, polygon) => sum + polygon.length / 2, 0);
  const stretches = new Float32Array(4 * count);
  const tints = new Uint8Array(4 * count);
  let at = 0;
  polygons.forEach((polygon, index) => {
    const color = bytesOf((outlines[index] as Outline).color);
    for (let i = 0, j = polygon.length - 2; i < polygon.length; j = i, i += 2, at += 4) {
      stretches.set(
        [polygon[j] as number, polygon[j + 1] as number, polygon[i] as number, polygon[i + 1] as number],
        at,
      );
      tints.set(color, at);
    }
  });
  const geometry = new InstancedBufferGeometry();
  geometry.setAttribute(
    "position",
    new BufferAttribute(new Float32Array([0, -1, 0, 1, -1, 0, 0, 1, 0, 1, 1, 0]), 3),
  );
  geometry.setIndex([0, 1, 2, 2, 1, 3]);
  geometry.setAttribute("stretch", new InstancedBufferAttribute(stretches, 4));
  geometry.setAttribute("tint", new InstancedBufferAttribute(tints, 4, true));
  geometry.instanceCount = count;
  return geometry;
}

/** All objects as triangles; their holes stay free. */
function fillGeometry(outlines: Outline[], tolerance: number): BufferGeometry {
  const [corners, tints, triangles]: [number[], number[], number[]] = [[], [], []];
  for (const { outer, holes } of piecesOf(outlines)) {
    const rings = [outer, ...holes].map((ring) => simplified(ring.polygon, tolerance));
    const first = corners.length / 3;
    const color = bytesOf(outer.color);
    const flat = rings.flat();
    for (let i = 0; i < flat.length; i += 2) {
      corners.push(flat[i] as number, flat[i + 1] as number, 0);
      tints.push(...color, 255);
    }
    const starts: number[] = [];
    rings.slice(0, -1).reduce((sum, ring) => {
      starts.push(sum + ring.length / 2);
      return sum + ring.length / 2;
    }, 0);
    for (const corner of earcut(flat, starts)) triangles.push(first + corner);
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(corners), 3));
  geometry.setAttribute("tint", new BufferAttribute(new Uint8Array(tints), 4, true));
  geometry.setIndex(triangles);
  return geometry;
}

export class OutlineLayer {
  readonly group = new Group();
  private readonly line: RawShaderMaterial;
  private readonly fill: RawShaderMaterial;
  private regions: Region[] = [];

  constructor(placing: Placing) {
    const common = {
      glslVersion: GLSL3,
      depthTest: false,
      depthWrite: false,
      side: DoubleSide,
      transparent: true,
    };
    this.line = new RawShaderMaterial({
      ...common,
      vertexShader: LINE_VERTEX,
      fragmentShader: LINE_FRAGMENT,
      uniforms: { ...placing, width: { value: WIDTH } },
    });
    this.fill = new RawShaderMaterial({
      ...common,
      vertexShader: FILL_VERTEX,
      fragmentShader: FILL_FRAGMENT,
      uniforms: { ...placing },
    });
  }

  setOutlines(outlines: Outline[]): void {
    this.clear();
    this.regions = regionsOf(outlines);
  }

  /** Make visible what is in view, and make what has not been drawn at this detail yet. */
  update(view: View, screen: Size, showing: Showing): void {
    const box = seen(view, screen);
    const detail = detailFor(view.zoom);
    const key = `${showing} ${detail}`;
    for (const region of this.regions) {
      const inView =
        region.box.left < box.right &&
        region.box.right > box.left &&
        region.box.top < box.bottom &&
        region.box.bottom > box.top;
      for (const mesh of region.meshes.values()) mesh.visible = false;
      if (showing === "off" || !inView) continue;
      const mesh = region.meshes.get(key) ?? this.made(region, key, showing, toleranceOf(detail));
      mesh.visible = true;
    }
  }

  private made(region: Region, key: string, showing: Showing, tolerance: number): Mesh {
    const mesh =
      showing === "fill"
        ? new Mesh(fillGeometry(region.outlines, tolerance), this.fill)
        : new Mesh(lineGeometry(region.outlines, tolerance), this.line);
    mesh.frustumCulled = false;
    mesh.renderOrder = 1;
    region.meshes.set(key, mesh);
    this.group.add(mesh);
    return mesh;
  }

  private clear(): void {
    this.group.clear();
    for (const region of this.regions) for (const mesh of region.meshes.values()) mesh.geometry.dispose();
  }

  close(): void {
    this.clear();
    this.line.dispose();
    this.fill.dispose();
  }
}
