import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./src/schema.ts",
  out: "./drizzle",
  // Only `drizzle-kit migrate` needs the URL; `generate` does not connect.
  dbCredentials: { url: process.env["DATABASE_URL"] ?? "" },
});
