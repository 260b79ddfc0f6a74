// Verifies a Sigstore bundle with @sigstore/verify: node sigstore.mjs MODULES BUNDLE ROOT KEY. Prints OK, or why not.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, bundlePath, rootPath, keyPath] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

try {
  const bundle = bundleFromJSON(JSON.parse(readFileSync(bundlePath, "utf8")));
  const root = TrustedRoot.fromJSON(JSON.parse(readFileSync(rootPath, "utf8")));
  const pem = readFileSync(keyPath, "utf8");
  const finder = () => ({ publicKey: require("node:crypto").createPublicKey(pem), validFor: () => true });
  const verifier = new Verifier(toTrustMaterial(root, finder), {
    ctlogThreshold: 0,
    tlogThreshold: 1,
    timestampThreshold: 0,
  });
  verifier.verify(toSignedEntity(bundle));
  console.log("OK");
} catch (error) {
  console.log(`${error.code ?? error.name}: ${error.message}`);
  process.exitCode = 1;
}
