/**
 * One file for each process, with what it needs of node_modules in it: Node starts it in half the
 * time.
 */
import { build } from "esbuild";

await build({
  entryPoints: ["src/server.ts", "src/worker.ts", "src/healthcheck.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  platform: "node",
  target: "node20",
  format: "esm",
  // For what is written for CommonJS, as pg is, and asks for Node's own modules.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
});
