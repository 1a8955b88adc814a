// The functions that the host calls. An entry file exports them by
//
//     export * from "upl-plugin/assembly/exports";

import "./runtime";
import {
  ABI_VERSION, CODE_CONFIG, CODE_INTERNAL, CODE_NOT_SUPPORTED, CODE_STATE, EMIT_COMBINED, SIZE_HEAD,
} from "./abi";
import { flushAll } from "./emission";
import { fail, failed, recover, refused } from "./fault";
import * as host from "./imports";
import { JSONKind, JSONValue, parseJSON } from "./json";
import { Ensemble, Selection, describe, policies } from "./policy";
import { restartRandom } from "./random";
import { Batch, Round } from "./round";
import { Setup } from "./setup";

// The run's: an instance serves one.
let selection: Selection | null = null;
let ensemble: Ensemble | null = null;
let round: Round | null = null;
let batch: Batch | null = null;

export function upl_abi_version(): i32 {
  return ABI_VERSION;
}

export function upl_describe(): i32 {
  const text = String.UTF8.encode(describe());
  return host.putManifest(changetype<usize>(text), text.byteLength);
}

export function upl_configure(): i32 {
  const config = readConfig();
  if (config === null || !make(config)) return finish(0);
  const setup = new Setup(config);
  round = new Round(setup);
  batch = new Batch(round!);
  if (selection !== null) selection!.configure(setup);
  if (ensemble !== null) ensemble!.configure(setup);
  return finish(0);
}

export function upl_begin_round(number: i32): i32 {
  const r = round;
  if (r === null) return CODE_STATE;
  r.number = number;
  r.skipped = false;
  restartRandom();
  if (selection !== null) selection!.beginRound(r);
  if (ensemble !== null) ensemble!.beginRound(r);
  return finish(r.skipped ? 1 : 0);
}

export function upl_observe(first: i64, rows: i32): i32 {
  const b = batch;
  if (b === null) return CODE_STATE;
  b.first = first;
  b.rows = rows;
  if (selection !== null) selection!.observe(b);
  if (ensemble !== null) ensemble!.observe(b);
  return finish(0);
}

export function upl_end_round(number: i32): i32 {
  const r = round;
  if (r === null) return CODE_STATE;
  let another = false;
  if (selection !== null) another = selection!.endRound(r);
  if (ensemble !== null) another = ensemble!.endRound(r);
  return finish(another ? 1 : 0);
}

export function upl_combine(first: i64, rows: i32): i32 {
  const b = batch;
  if (b === null) return CODE_STATE;
  const e = ensemble;
  if (e === null) {
    fail(CODE_NOT_SUPPORTED, "this policy is no ensemble");
    return finish(0);
  }
  b.first = first;
  b.rows = rows;
  const values = rows * b.setup.classes;
  const records = b.output.reserve(values, 0, <i32>SIZE_HEAD) - SIZE_HEAD;
  b.output.length = values;
  e.combine(b);
  store<u64>(records, first);
  store<u32>(records, rows, 8);
  store<u32>(records, b.setup.classes, 12);
  if (!failed()) {
    const code = host.emit(EMIT_COMBINED, records, <i32>SIZE_HEAD + values * 4);
    if (code < 0) refused(code, "emitting probabilities");
  }
  return finish(0);
}

/** Reads get_config. */
function readConfig(): JSONValue | null {
  const size = host.getConfig(0, 0);
  if (size < 0) {
    refused(size, "reading the configuration");
    return null;
  }
  const text = new ArrayBuffer(size);
  host.getConfig(changetype<usize>(text), size);
  const config = parseJSON(text);
  if (config === null || config.kind != JSONKind.OBJECT) fail(CODE_INTERNAL, "the configuration is malformed JSON");
  return config;
}

/** Makes the policy that is to run. */
function make(config: JSONValue): bool {
  const chosen = config.get("policy");
  const name = chosen === null ? "" : chosen.text;
  for (let i = 0; i < policies.length; i++) {
    const policy = policies[i];
    if (policy.name != name) continue;
    const makeSelection = policy.selection, makeEnsemble = policy.ensemble;
    if (makeSelection !== null) selection = makeSelection();
    else if (makeEnsemble !== null) ensemble = makeEnsemble();
    else fail(CODE_INTERNAL, "policy " + name + " is neither a selection nor an ensemble");
    return selection !== null || ensemble !== null;
  }
  fail(CODE_CONFIG, "there is no policy " + name + " in this plugin");
  return false;
}

/** What a function returns: its result or, of a failure, the code, with the message handed over. */
function finish(result: i32): i32 {
  flushAll();
  const fault = recover();
  if (fault === null) return result;
  const message = String.UTF8.encode(fault.message);
  host.fail(fault.code, changetype<usize>(message), message.byteLength);
  return fault.code;
}
