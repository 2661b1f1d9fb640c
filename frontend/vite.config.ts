/*
 * One module (`index.js`, which must keep its export `render`), one style sheet, one worker, all served by the plugin from its own origin.
 * A normal build, not library mode: that one leaves whitespace in ES output. The base is relative because TensorBoard may stand
 * behind a path prefix. A worker must be a file: TensorBoard's content security policy refuses blob and data workers.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { minifySync } from "rolldown/utils";
import { minify } from "terser";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { leanPreact } from "./lean_preact.ts";

// No function without a name is called with `new`, here or in the libraries: each may become an arrow. And nobody
// changes what comes with the language, which is all that `unsafe` asks.
// Constants stay where they are written: `x === null` is found again more often than `null === x`.
const MINIFY = {
  module: true,
  ecma: 2020,
  compress: { passes: 4, unsafe: true, unsafe_arrows: true, lhs_constants: false, sequences: false },
} as const;

/** A second pass over what the bundler has minified, which the budget of 90 kB (gzip) needs. */
function smaller(): Plugin {
  return {
    name: "smaller",
    async generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      for (const chunk of chunks) chunk.code = shortNames((await minify(chunk.code, MINIFY)).code ?? chunk.code);
      const entry = chunks.find(({ exports }) => exports.includes("render"));
      if (entry === undefined) return;
      const names = exportLocalNames(entry);
      for (const chunk of chunks) if (chunk !== entry) await importLocalNames(chunk, names);
    },
  };
}

/** The bundler's names take less room than those of the second pass, once that has left fewer of them. */
const shortNames = (code: string): string =>
  minifySync("chunk.js", code, { module: true, compress: false, mangle: { toplevel: true } }).code;

/**
 * The entry exports what it shares with the views by the names that it has there, and the views import it by the same: `a as b` some 170 times
 * in each file is 1 % of all. `render` keeps its name, for TensorBoard calls it. Gives the new names by the old ones.
 */
function exportLocalNames(entry: { code: string }): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  entry.code = entry.code.replace(/export\{([^}]*)\};?\s*$/, (_, list: string) => {
    for (const each of list.split(",")) {
      const [local, exported = local] = each.split(" as ");
      names.set(exported, local);
    }
    return `export{${[...names].map(([name, local]) => (name === "render" ? `${local} as render` : local)).join()}};`;
  });
  return names;
}

async function importLocalNames(chunk: { code: string }, names: ReadonlyMap<string, string>): Promise<void> {
  const wanted: Record<string, string> = {};
  const code = chunk.code.replace(/import\{([^}]*)\}(?=from"\.\/index\.js")/, (_, list: string) => {
    const imports = list.split(",").map((each) => {
      const [exported, local = exported] = each.split(" as ");
      const name = names.get(exported) ?? exported;
      wanted[`$${local}`] = name;
      return `${name} as ${local}`;
    });
    return `import{${imports.join()}}`;
  });
  chunk.code =
    (await minify(code, { ...MINIFY, compress: false, nameCache: { vars: { props: wanted } } })).code ?? code;
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

/** Vite fetches style sheets before what is imported later; there is one, which the page has from the beginning. */
function withoutPreload(): Plugin {
  return {
    name: "without-preload",
    enforce: "pre",
    load: (id) => (id.includes("vite/preload-helper") ? "export const __vitePreload = (load) => load();" : null),
  };
}

/** What of others is in the bundle is named beside it, with the words of its license, as the license asks. */
function thirdParty(): Plugin {
  return {
    name: "third-party",
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
      const folders = new Set(modules.flatMap((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []));
      const texts = [...folders].map((folder) => {
        const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as Record<string, string>;
        return `${name} ${version}\n\n${readFileSync(`${folder}/LICENSE`, "utf8").trim()}\n`;
      });
      const source = `index.js and the files that it loads contain:\n\n${texts.sort().join("\n\n")}`;
      this.emitFile({ type: "asset", fileName: "THIRD_PARTY.txt", source });
    },
  };
}

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: "./",
  resolve: {
    alias: {
      "@preact/signals-core": place("node_modules/@preact/signals-core/dist/signals-core.mjs"),
      "@preact/signals": place("src/signals.ts"),
    },
  },
  plugins: [leanPreact(), elements(), withoutPreload(), smaller(), thirdParty()],
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
    pool: "forks",
    isolate: false,
    setupFiles: ["tests/fresh.ts"],
    // Tests run Preact as the page does.
    server: { deps: { inline: [/\/preact\//, /signals-core/] } },
  },
});
