// Makes a folder of migrations out of a history of schemas, as `drizzle-kit generate` does each time.
//
// node drizzle_generate.mjs HOME OUT STEPS: HOME has drizzle-kit in its node_modules, STEPS is JSON.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [home, out, stepsFile] = process.argv.slice(2);
const load = createRequire(join(home, "package.json"));
const steps = JSON.parse(readFileSync(stepsFile, "utf8"));
const { version } = JSON.parse(readFileSync(join(home, "node_modules/drizzle-kit/package.json")));
const HEAD = 'const pg = { ...require("drizzle-orm/pg-core") };\nconst { sql } = require("drizzle-orm");\n';

function write(step, at) {
	const file = join(home, `${at}_${step.name}.cjs`);
	writeFileSync(file, HEAD + step.code);
	return file;
}

async function zero() {
	const { generateDrizzleJson, generateMigration } = load("drizzle-kit/api");
	mkdirSync(join(out, "meta"), { recursive: true });
	const entries = [];
	let before = generateDrizzleJson({});
	for (const [idx, step] of steps.entries()) {
		const after = generateDrizzleJson(load(write(step, idx)), before.id);
		const number = String(idx).padStart(4, "0");
		const tag = `${number}_${step.name}`;
		const found = await generateMigration(before, after);
		writeFileSync(join(out, `${tag}.sql`), found.join("--> statement-breakpoint\n"));
		writeFileSync(join(out, "meta", `${number}_snapshot.json`), JSON.stringify(after, null, 2));
		entries.push({ idx, version: "7", when: 1767323000000 + idx, tag, breakpoints: true });
		before = after;
	}
	const journal = { version: "7", dialect: "postgresql", entries };
	writeFileSync(join(out, "meta", "_journal.json"), JSON.stringify(journal, null, 2));
}

async function one() {
	const { generate } = load("drizzle-kit/cli");
	for (const [at, step] of steps.entries()) {
		const hints = step.renamed.map(([kind, from, to]) => ({ type: "rename", kind, from, to }));
		hints.push(...step.created.map(([kind, entity]) => ({ type: "create", kind, entity })));
		const schema = write(step, at);
		const done = await generate({ dialect: "postgresql", schema, out, name: step.name, hints });
		if (done.status !== "ok") throw new Error(`${step.name}: ${JSON.stringify(done)}`);
	}
}

await (version.startsWith("0.") ? zero() : one());
