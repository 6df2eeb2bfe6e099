// drizzle-kit's own generator, run over the snapshots of each migration with its two sides swapped.
//
// node propose.mjs JOB ANSWER: two files of JSON, whose shape generator.py says. drizzle-kit prints
// what it likes, and asks in a terminal; neither reaches anybody.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { EventEmitter } from "node:events";
import { join } from "node:path";

const ORIGIN = "00000000-0000-0000-0000-000000000000";
const ROUNDS = 100; // Questions that depend on answers; each round answers at least one.
const [job, answer] = process.argv.slice(2);
const { kit, format, snapshots, pairs } = JSON.parse(readFileSync(job, "utf8"));
const load = createRequire(join(kit, "package.json"));
const copy = (value) => JSON.parse(JSON.stringify(value));

// --- questions ------------------------------------------------------------------------------------

const CONSTRAINTS = ["unique", "check", "primary_key", "foreign key"];

/** The renames as they read when they are undone. */
const back = (renames) => renames.map((one) => ({ ...one, old: one.new, new: one.old }));

/** The rename that has made `name`, if any; `table` is where a column is, under any of its names. */
function renamed(renames, kind, name, schema, table) {
	return renames.find(
		(one) =>
			(one.kind === kind || (one.kind === "constraint" && CONSTRAINTS.includes(kind))) &&
			one.new.name === name &&
			(schema === undefined || one.kind === "schema" || one.new.schema === schema) &&
			(!one.tables.length || table === undefined || one.tables.includes(table)),
	);
}

/** A terminal that drizzle-kit 0.x asks in. What no rename of the migration answers is created. */
class Terminal extends EventEmitter {
	isTTY = true;
	columns = 500;
	renames = [];
	setRawMode() {}
	setEncoding() {}
	resume() {
		return this;
	}
	pause() {
		return this;
	}
	write(text) {
		const plain = String(text).replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");
		const found = /Is (.+?) (column|\w+)(?: in (.+) table)? created or renamed from another/.exec(plain);
		const [press] = this.listeners("keypress").slice(-1);
		if (found && press && !press.answered) {
			press.answered = true;
			setImmediate(() => this.choose(press, plain, found[2], found[3]));
		}
		return true;
	}
	choose(press, plain, kind, table) {
		const lines = plain.split("\n").filter((line) => /^(❯| ) [~+] /.test(line));
		const at = lines.findIndex((line) => {
			const found = /^(?:❯| ) ~ (.+) › (.+?)\s+rename (.+)$/.exec(line);
			return found && this.answers(kind, found[1], found[2], table);
		});
		for (let down = 0; down < at; down += 1) press("", { name: "down" });
		press("", { name: "return" });
	}
	answers(kind, from, to, table) {
		const written = ({ schema, name }) => (schema && schema !== "public" ? `${schema}.${name}` : name);
		return this.renames.some((one) => {
			const [old, now] = kind === "column" ? [one.old.name, one.new.name] : [one.old, one.new].map(written);
			const here = !one.tables.length || table === undefined || one.tables.includes(table);
			return one.kind === kind && old === from && now === to && here;
		});
	}
}

const terminal = new Terminal();
for (const name of ["stdin", "stdout"]) Object.defineProperty(process, name, { value: terminal });
for (const name of ["log", "info", "warn", "error", "debug"]) console[name] = () => {};

// --- drizzle-kit 0.x ------------------------------------------------------------------------------

const EMPTY = {
	id: ORIGIN,
	prevId: ORIGIN,
	version: "7",
	dialect: "postgresql",
	...Object.fromEntries(
		["tables", "enums", "schemas", "sequences", "roles", "policies", "views"].map((kind) => [kind, {}]),
	),
	_meta: { schemas: {}, tables: {}, columns: {} },
};

function zero() {
	const { generateMigration, upPgSnapshot } = load("./api.js");
	const lifted = (one) => (one ? upPgSnapshot(copy(one)) : EMPTY);
	return {
		states: ({ before, after }) => [lifted(before), lifted(after)],
		enums: (state) => Object.values(state.enums),
		generate(from, to, renames) {
			terminal.renames = renames;
			return generateMigration(copy(from), copy(to));
		},
	};
}

// --- drizzle-kit 1 --------------------------------------------------------------------------------

function one() {
	const { generateMigration, reconstruct } = load("./api-postgres.js");
	const full = (snapshot) => snapshot.ddl !== undefined && snapshot.type !== "diff";
	const byId = new Map(Object.values(snapshots).map((snapshot) => [snapshot.id, snapshot]));
	const nothing = { version: "9", dialect: "postgres", id: ORIGIN, prevIds: [ORIGIN], ddl: [] };

	async function state(id) {
		const found = byId.get(id);
		if (!found) throw new Error(`the snapshot ${id} is not in the folder`);
		return full(found) ? copy(found) : reconstruct(copy(snapshots), id);
	}
	/** What its parents come to together: their migrations have all run before it. */
	async function before({ prevIds }) {
		const parents = prevIds.filter((id) => id !== ORIGIN);
		if (parents.length === 0) return nothing;
		if (parents.length === 1) return state(parents[0]);
		const id = "ffffffff-ffff-4fff-bfff-ffffffffffff";
		const merged = { type: "diff", version: "9", dialect: "postgres", id, prevIds, footprints: [], deltas: [] };
		return reconstruct({ ...copy(snapshots), "99999999999999_merged": merged }, id);
	}
	const mend = (missing, renames) => {
		if (missing.type === "confirm_data_loss") return { type: missing.type, kind: missing.kind, entity: missing.entity };
		const { kind, entity } = missing;
		const name = entity.at(-1);
		const found = renamed(renames, kind, name, entity.length > 1 ? entity[0] : undefined, entity.length > 2 ? entity[1] : undefined);
		if (!found) return { type: "create", kind, entity };
		const from = entity.length === 2 ? [found.old.schema, found.old.name] : [...entity.slice(0, -1), found.old.name];
		return { type: "rename", kind, from, to: entity };
	};
	return {
		async states({ name }) {
			return [await before(snapshots[name]), await state(snapshots[name].id)];
		},
		enums: (found) => found.ddl.filter((entity) => entity.entityType === "enums"),
		async generate(from, to, renames) {
			const hints = [];
			for (let round = 0; round < ROUNDS; round += 1) {
				try {
					return await generateMigration(copy(from), copy(to), { hints });
				} catch (error) {
					if (error.code !== "missing_hints" || !error.missingHints.length) throw error;
					hints.push(...error.missingHints.map((missing) => mend(missing, renames)));
				}
			}
			throw new Error("it asks without an end");
		},
	};
}

// --- each migration -------------------------------------------------------------------------------

/** Values that a migration adds to an enum stay: to be taken out, every row would be written anew. */
function kept(drizzle, before, after) {
	const found = [];
	for (const old of drizzle.enums(before)) {
		const now = drizzle.enums(after).find((one) => one.schema === old.schema && one.name === old.name);
		const added = now ? now.values.filter((value) => !old.values.includes(value)) : [];
		if (!added.length || !old.values.every((value) => now.values.includes(value))) continue;
		found.push({ schema: old.schema ?? "public", name: old.name, values: added });
		old.values = now.values;
	}
	return found;
}

async function propose(drizzle, pair) {
	const [before, after] = await drizzle.states(pair);
	const up = await drizzle.generate(before, after, pair.renames);
	const wanted = copy(before);
	const left = kept(drizzle, wanted, after);
	const down = await drizzle.generate(after, wanted, back(pair.renames));
	return { up, down, kept: left };
}

const drizzle = format === "v0" ? zero() : one();
const answers = {};
for (const pair of pairs) {
	try {
		answers[pair.name] = await propose(drizzle, pair);
	} catch (error) {
		answers[pair.name] = { error: String(error?.message ?? error).slice(0, 2000) };
	}
}
writeFileSync(answer, JSON.stringify(answers));
process.exit(0);
