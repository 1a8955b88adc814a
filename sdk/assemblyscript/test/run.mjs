// Runs the module in the host in memory, for upl-host's own tests, which hold the one
// to the other: a list of inputs on standard input, the results on standard output.

import { load } from "upl-plugin/testing";

const plugin = await load(new URL("build/fixture.wasm", import.meta.url));
const kinds = Object.fromEntries(plugin.policies.map(({ name, kind }) => [name, kind]));

let text = "";
for await (const chunk of process.stdin) text += chunk;
const results = JSON.parse(text).map(({ learnt, ...input }) => {
  if (learnt) input.nextRound = () => ({ ensemble: learnt });
  return kinds[input.policy] === "ensemble" ? plugin.combine(input) : plugin.select(input);
});
process.stdout.write(JSON.stringify(results));
