/* The end-to-end tests: run by `pytest -m browser`, which makes the runs and the servers. One file at a time: there is one Chromium. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.spec.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
