// Fetches npm's archive to the path given, and refuses one that is not byte for byte the pinned one.
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";

const url = "https://registry.npmjs.org/npm/-/npm-10.9.9.tgz";
const sha512 =
  "1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==";

const response = await fetch(url);
if (!response.ok) throw new Error(`${url} answered ${response.status}`);
const archive = Buffer.from(await response.arrayBuffer());
const digest = createHash("sha512").update(archive).digest("base64");
if (digest !== sha512) throw new Error(`${url} has another content than expected: ${digest}`);
await writeFile(process.argv[2], archive);
