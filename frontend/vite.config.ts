/*
 * One module (`index.js`, which must keep its export `render`), one style sheet, one worker, all served by the plugin from its own origin.
 * A normal build, not library mode: that one leaves whitespace in ES output. The base is relative because TensorBoard may stand
 * behind a path prefix. A worker must be a file: TensorBoard's content security policy refuses blob and data workers.
 */
import { minify } from "terser";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** A second pass over what the bundler has minified: a hundredth of the size, which the budget of 90 kB (gzip) needs. */
function smaller(): Plugin {
  return {
    name: "smaller",
    async generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        const { code } = await minify(file.code, { module: true, ecma: 2020, compress: { passes: 3 } });
        file.code = code ?? file.code;
      }
    },
  };
}

const JSX = { runtime: "classic", pragma: "makeElement", pragmaFrag: "makeGroup" } as const;

/** JSX becomes calls of Preact's own `h`, imported here by each module that has JSX: smaller than a second function that makes elements. */
function elements(): Plugin {
  const names = `h as ${JSX.pragma}, Fragment as ${JSX.pragmaFrag}`;
  return {
    name: "elements",
    enforce: "pre",
    transform: (code, id) => (id.endsWith(".tsx") ? `import { ${names} } from "preact";${code}` : null),
  };
}

export default defineConfig({
  base: "./",
  plugins: [elements(), smaller()],
  oxc: { jsx: JSX },
  build: {
    outDir: "../tb_activations/plugin/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    rolldownOptions: {
      input: "src/index.ts",
      // The entry must export `render`, and may export more: the views that are fetched later import what they share with it from it.
      preserveEntrySignatures: "allow-extension",
      output: {
        entryFileNames: "index.js",
        chunkFileNames: "[name].js",
        assetFileNames: "index[extname]",
      },
    },
  },
  worker: {
    format: "es",
    plugins: () => [smaller()],
    rolldownOptions: { output: { entryFileNames: "worker.js" } },
  },
  test: {
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
