/** Builds the page anew and compares it with the one in ../static, which the wheel carries (`npm run check`). */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const kept = fileURLToPath(new URL("../static", import.meta.url));
const built = mkdtempSync(join(tmpdir(), "review_page_"));

/** The content of every file, by its path below the folder. */
function contents(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path)]));
}

try {
  await build({ logLevel: "warn", build: { outDir: built, emptyOutDir: true } });
  const [before, now] = [contents(kept), contents(built)];
  const paths = [...new Set([...before.keys(), ...now.keys()])];
  const different = paths.filter(
    (path) => !before.has(path) || !now.has(path) || !before.get(path).equals(now.get(path)),
  );
  if (different.length) {
    console.error(
      `The built page is not that of its sources: ${different.join(", ")}. Run \`npm run build\`.`,
    );
    process.exitCode = 1;
  } else console.log(`The built page is that of its sources (${paths.length} files).`);
} finally {
  rmSync(built, { recursive: true });
}
