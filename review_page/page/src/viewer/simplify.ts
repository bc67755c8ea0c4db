/** Leaves out points of an outline that cannot be seen at a zoom (Douglas and Peucker). */

/** Squared distance of point p from the stretch a-b. */
function squaredDistance(points: ArrayLike<number>, p: number, a: number, b: number): number {
  const [px, py] = [points[2 * p] as number, points[2 * p + 1] as number];
  const [ax, ay] = [points[2 * a] as number, points[2 * a + 1] as number];
  const [bx, by] = [points[2 * b] as number, points[2 * b + 1] as number];
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length ? Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / length)) : 0;
  return (px - ax - along * dx) ** 2 + (py - ay - along * dy) ** 2;
}

function keepBetween(
  points: ArrayLike<number>,
  first: number,
  last: number,
  squared: number,
  kept: Uint8Array,
): void {
  const stack = [first, last];
  while (stack.length) {
    const b = stack.pop() as number;
    const a = stack.pop() as number;
    let [farthest, distance] = [-1, squared];
    for (let p = a + 1; p < b; p++) {
      const d = squaredDistance(points, p, a, b);
      if (d > distance) [farthest, distance] = [p, d];
    }
    if (farthest < 0) continue;
    kept[farthest] = 1;
    stack.push(a, farthest, farthest, b);
  }
}

/** The closed outline with at most `tolerance` image pixels of difference; at least a triangle, if there was one. */
export function simplified(points: number[], tolerance: number): number[] {
  const count = points.length / 2;
  if (tolerance <= 0 || count <= 4) return points;
  const kept = new Uint8Array(count);
  const middle = Math.floor(count / 2);
  kept[0] = kept[middle] = kept[count - 1] = 1;
  keepBetween(points, 0, middle, tolerance * tolerance, kept);
  keepBetween(points, middle, count - 1, tolerance * tolerance, kept);
  const result: number[] = [];
  for (let p = 0; p < count; p++)
    if (kept[p]) result.push(points[2 * p] as number, points[2 * p + 1] as number);
  return result;
}
