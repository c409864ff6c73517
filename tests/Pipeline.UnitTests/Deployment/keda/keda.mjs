// Holds files against KEDA's own schema of a ScaledObject, and tells what does not fit: node keda.mjs FILE...
import { readFileSync } from "node:fs";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { parse } from "yaml";

for (const file of process.argv.slice(2)) {
    try {
        new ScaledObject(parse(readFileSync(file, "utf8"))).validate();
    } catch (error) {
        console.error(`${file}: ${error.message}`);
        process.exitCode = 1;
    }
}
