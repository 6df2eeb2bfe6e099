/** The image's health check, as it has no curl: `node dist/healthcheck.js web|worker`. */
import { get } from "node:http";
import { isBeating } from "./heartbeat.ts";

/** Exits with 0 for healthy and 1 for unhealthy, the two codes that Docker knows. */
function end(healthy: boolean, message: string): never {
  console.log(message);
  process.exit(healthy ? 0 : 1);
}

const subject = process.argv[2];
if (subject === "worker") {
  const beating = isBeating();
  end(beating, beating ? "the worker works" : "no fresh heartbeat of the worker");
} else if (subject === "web") {
  const url = `http://127.0.0.1:${process.env["PORT"] ?? "3000"}/healthz`;
  get(url, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      body += chunk;
    });
    response.on("end", () => end(response.statusCode === 200, `${response.statusCode} ${body}`));
  }).on("error", (error) => end(false, error.message));
} else {
  end(false, "usage: node dist/healthcheck.js web|worker");
}
