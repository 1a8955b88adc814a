/** What the authors of policies use. */
export * from "./abi";
export { Fault, fail, failed, recover, unusable } from "./fault";
export { Emitter } from "./emission";
export { Opener } from "./open";
export { Ensemble, Policy, Selection, plugin } from "./policy";
export { random } from "./random";
export { log, metric } from "./report";
export { Batch, Round } from "./round";
export { Setup } from "./setup";
export { ClassTopK, Previous, Records, View } from "./view";
