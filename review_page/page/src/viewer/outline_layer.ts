/** Draws outlines or filled objects, at a detail that suits the zoom and in square regions that suit the detail. */

import earcut from "earcut";
import {
  BufferAttribute,
  BufferGeometry,
  DoubleSide,
  GLSL3,
  Group,
  LineSegments,
  Mesh,
  NoBlending,
  RawShaderMaterial,
} from "three";
import type { Outline } from "../server/answers";
import type { Box } from "./camera";
import { rgb } from "./contrast";
import { piecesOf } from "./pieces";
import { boxOfPolygon } from "./places";
import type { Placing } from "./placing";
import { FILL_FRAGMENT, FILL_VERTEX, FINE_FRAGMENT, LINE_FRAGMENT, LINE_VERTEX } from "./shaders";
import { simplified } from "./simplify";

export type Showing = "outlines" | "fill" | "off";

const WIDTH = 1.6;
const UNSEEN = 0.5; // screen pixels of difference that nobody sees

interface Region {
  box: Box;
  outlines: Outline[];
  meshes: Map<Showing, Mesh | LineSegments>;
}

/** How coarse outlines may be at a zoom, as a power of two: 0 = every point, which matters where pixels are seen. */
export function detailFor(zoom: number): number {
  return zoom >= 2 ? 0 : Math.min(7, Math.floor(Math.log2(1 / zoom)) + 2);
}

export function toleranceOf(detail: number): number {
  return detail === 0 ? 0 : UNSEEN * 2 ** (detail - 2);
}

/** Side of the regions in image pixels: on the screen they are about as large at every zoom, so that few are in a strip. */
export function sideOf(detail: number): number {
  return Math.max(64, 32 * 2 ** detail);
}

/** From here on outlines are thin lines: where objects are small, wide ones would hide them, and cost twice as much. */
const THIN = 3;

/** Outlines by the region in which they begin, each with the box around all of its outlines. */
export function regionsOf(outlines: Outline[], side: number): Region[] {
  const regions = new Map<string, Region>();
  for (const outline of outlines) {
    const own = boxOfPolygon(outline.polygon);
    const key = `${Math.floor(own.left / side)} ${Math.floor(own.top / side)}`;
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

/** Where the four corners of a stretch lie: at its begin or end, on its left or right. */
const CORNERS = [0, -1, 1, -1, 0, 1, 1, 1];

/** Four corners for every stretch of every outline. No instances: drawn by software, each of these costs a draw. */
function lineGeometry(outlines: Outline[], tolerance: number): BufferGeometry {
  const polygons = outlines.map((outline) => simplified(outline.polygon, tolerance));
  const count = polygons.reduce((sum, polygon) => sum + polygon.length / 2, 0);
  const stretches = new Float32Array(16 * count);
  const tints = new Uint8Array(16 * count);
  const corners = new Int8Array(8 * count);
  const triangles = new Uint32Array(6 * count);
  let at = 0;
  polygons.forEach((polygon, index) => {
    const [r, g, b] = bytesOf((outlines[index] as Outline).color);
    for (let i = 0, j = polygon.length - 2; i < polygon.length; j = i, i += 2, at += 1) {
      const ends = [polygon[j], polygon[j + 1], polygon[i], polygon[i + 1]] as number[];
      for (let corner = 0; corner < 4; corner++) {
        stretches.set(ends, 16 * at + 4 * corner);
        tints.set([r, g, b, 255], 16 * at + 4 * corner);
      }
      corners.set(CORNERS, 8 * at);
      const first = 4 * at;
      triangles.set([first, first + 1, first + 2, first + 2, first + 1, first + 3], 6 * at);
    }
  });
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(corners, 2));
  geometry.setAttribute("stretch", new BufferAttribute(stretches, 4));
  geometry.setAttribute("tint", new BufferAttribute(tints, 4, true));
  geometry.setIndex(new BufferAttribute(triangles, 1));
  return geometry;
}

/** A line of one screen pixel for every stretch. */
function thinGeometry(outlines: Outline[], tolerance: number): BufferGeometry {
  const [points, tints, ends]: [number[], number[], number[]] = [[], [], []];
  for (const outline of outlines) {
    const polygon = simplified(outline.polygon, tolerance);
    const first = points.length / 2;
    const count = polygon.length / 2;
    const color = bytesOf(outline.color);
    points.push(...polygon);
    for (let i = 0; i < count; i++) {
      tints.push(...color, 255);
      ends.push(first + i, first + ((i + 1) % count));
    }
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(points), 2));
  geometry.setAttribute("tint", new BufferAttribute(new Uint8Array(tints), 4, true));
  geometry.setIndex(ends);
  return geometry;
}

/** All objects as triangles; their holes stay free. */
function fillGeometry(outlines: Outline[], tolerance: number): BufferGeometry {
  const [corners, tints, triangles]: [number[], number[], number[]] = [[], [], []];
  for (const { outer, holes } of piecesOf(outlines)) {
    const rings = [outer, ...holes].map((ring) => simplified(ring.polygon, tolerance));
    const first = corners.length / 2;
    const color = bytesOf(outer.color);
    const flat = rings.flat();
    for (let i = 0; i < flat.length; i += 2) {
      corners.push(flat[i] as number, flat[i + 1] as number);
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
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(corners), 2));
  geometry.setAttribute("tint", new BufferAttribute(new Uint8Array(tints), 4, true));
  geometry.setIndex(triangles);
  return geometry;
}

export class OutlineLayer {
  readonly group = new Group();
  private readonly line: RawShaderMaterial;
  private readonly fill: RawShaderMaterial;
  private readonly fine: RawShaderMaterial;
  private outlines: Outline[] = [];
  private readonly regions = new Map<number, Region[]>(); // by detail

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
    this.fine = this.fill.clone();
    this.fine.fragmentShader = FINE_FRAGMENT;
    this.fine.blending = NoBlending;
    Object.assign(this.fine.uniforms, placing); // a clone has copies, which would not move with the view
  }

  setOutlines(outlines: Outline[]): void {
    this.clear();
    this.outlines = outlines;
  }

  /** Make visible what lies in a part of the image, and make what has not been drawn at this detail yet. */
  update(zoom: number, box: Box, showing: Showing): void {
    for (const child of this.group.children) child.visible = false;
    if (showing === "off") return;
    const detail = detailFor(zoom);
    const edge = WIDTH / zoom; // a line reaches beyond its points
    for (const region of this.regionsAt(detail)) {
      const inView =
        region.box.left < box.right + edge &&
        region.box.right > box.left - edge &&
        region.box.top < box.bottom + edge &&
        region.box.bottom > box.top - edge;
      if (inView) this.meshOf(region, showing, toleranceOf(detail)).visible = true;
    }
  }

  private regionsAt(detail: number): Region[] {
    const known = this.regions.get(detail) ?? regionsOf(this.outlines, sideOf(detail));
    this.regions.set(detail, known);
    return known;
  }

  private meshOf(region: Region, showing: Showing, tolerance: number): Mesh | LineSegments {
    const known = region.meshes.get(showing);
    if (known) return known;
    const thin = toleranceOf(THIN) <= tolerance;
    const mesh: Mesh | LineSegments =
      showing === "fill"
        ? new Mesh(fillGeometry(region.outlines, tolerance), this.fill)
        : thin
          ? new LineSegments(thinGeometry(region.outlines, tolerance), this.fine)
          : new Mesh(lineGeometry(region.outlines, tolerance), this.line);
    mesh.frustumCulled = false;
    region.meshes.set(showing, mesh);
    this.group.add(mesh);
    return mesh;
  }

  private clear(): void {
    this.group.clear();
    for (const region of [...this.regions.values()].flat())
      for (const mesh of region.meshes.values()) mesh.geometry.dispose();
    this.regions.clear();
  }

  close(): void {
    this.clear();
    this.line.dispose();
    this.fill.dispose();
    this.fine.dispose();
  }
}
