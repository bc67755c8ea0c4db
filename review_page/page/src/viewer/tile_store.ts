/** Fetches tiles, a few at a time and the wanted ones first, and keeps the latest of them. */

import { readTile, type Tile, type TileAddress } from "../server/review";

const AT_ONCE = 6;
const KEPT_BYTES = 384 * 2 ** 20;

export type StoredTile<Kept> = { address: TileAddress; tile: Tile; kept: Kept };

export function keyOf({ channel, z, t, level, x, y }: TileAddress): string {
  return `${channel}/${z}/${t}/${level}/${x}/${y}`;
}

/** `make` turns a tile into what is drawn, `free` gives its memory back, `arrived` says that there is something new. */
export class TileStore<Kept> {
  private readonly tiles = new Map<string, StoredTile<Kept>>();
  private readonly loading = new Map<string, AbortController>();
  private readonly failed = new Set<string>();
  private wanted = new Map<string, TileAddress>();
  private bytes = 0;

  constructor(
    private readonly id: string,
    private readonly make: (tile: Tile) => Kept,
    private readonly free: (kept: Kept) => void,
    private readonly arrived: (error?: unknown) => void,
  ) {}

  get(address: TileAddress): StoredTile<Kept> | undefined {
    const key = keyOf(address);
    const found = this.tiles.get(key);
    if (found) {
      this.tiles.delete(key);
      this.tiles.set(key, found); // the latest used are at the end
    }
    return found;
  }

  /** Whether all tiles that were asked for are here. */
  get complete(): boolean {
    return (
      this.loading.size === 0 &&
      [...this.wanted.keys()].every((key) => this.tiles.has(key) || this.failed.has(key))
    );
  }

  /** Fetch these, the first ones first; what is on its way and no longer wanted is given up. */
  want(addresses: TileAddress[]): void {
    this.wanted = new Map(addresses.map((address) => [keyOf(address), address]));
    for (const [key, loading] of this.loading) if (!this.wanted.has(key)) loading.abort();
    this.fetchMore();
  }

  private fetchMore(): void {
    for (const [key, address] of this.wanted) {
      if (this.loading.size >= AT_ONCE) return;
      if (!this.tiles.has(key) && !this.loading.has(key) && !this.failed.has(key))
        void this.fetch(key, address);
    }
  }

  private async fetch(key: string, address: TileAddress): Promise<void> {
    const loading = new AbortController();
    this.loading.set(key, loading);
    try {
      const tile = await readTile(this.id, address, loading.signal);
      if (!loading.signal.aborted) this.keep(key, address, tile);
      this.arrived();
    } catch (error) {
      if (!loading.signal.aborted) {
        this.failed.add(key);
        this.arrived(error);
      }
    } finally {
      this.loading.delete(key);
      this.fetchMore();
    }
  }

  private keep(key: string, address: TileAddress, tile: Tile): void {
    this.tiles.set(key, { address, tile, kept: this.make(tile) });
    this.bytes += tile.pixels.byteLength;
    for (const [old, stored] of this.tiles) {
      if (this.bytes <= KEPT_BYTES) return;
      if (this.wanted.has(old)) continue;
      this.tiles.delete(old);
      this.bytes -= stored.tile.pixels.byteLength;
      this.free(stored.kept);
    }
  }

  close(): void {
    this.wanted.clear();
    for (const loading of this.loading.values()) loading.abort();
    for (const stored of this.tiles.values()) this.free(stored.kept);
    this.tiles.clear();
  }
}
