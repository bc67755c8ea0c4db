/** How the page is built: into ../static, with relative addresses, without anything from elsewhere. */

import { defineConfig } from "vitest/config";
import { pretendEngine } from "./mock/pretend_engine.ts";

export default defineConfig(({ command }) => ({
  base: "./",
  plugins: command === "serve" && !process.env.VITEST ? [pretendEngine()] : [],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "LICENSES.md" },
    chunkSizeWarningLimit: 1200,
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
}));
