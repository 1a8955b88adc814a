import {
  EMIT_CANDIDATES, EMIT_DROP, EMIT_HARD, EMIT_SOFT, EmitKind, RETRAINS, TAKES_CANDIDATES, TAKES_DROPS, TAKES_SOFT,
} from "./abi";
import { unusable } from "./fault";
import { JSONKind, JSONValue } from "./json";
import { Opener, dataset, featureDims, readSizes } from "./open";

/**
 * What a policy has in `configure`: its parameters, the data set's sizes and
 * names, and the host's views to open.
 *
 * Parameters have been checked against the policy's schema, and defaults filled
 * in. One that is missing or of another type is a failure of the run, with 0, ""
 * or an empty list as value.
 */
export class Setup extends Opener {
  /** C names. */
  readonly classNames: string[];
  /** M names; empty ones where the host has none. */
  readonly modelNames: string[];
  /** 1/tau of each model; empty where unknown. */
  readonly logitScales: f64[];
  /** C probabilities; empty unless the configuration gives them. */
  readonly prior: f64[];

  private params: JSONValue;

  /** For the SDK: of get_config. */
  constructor(config: JSONValue) {
    super(0);
    const data = member(config, "dataset");
    this.params = member(config, "params");
    this.classNames = texts(member(data, "class_names"));
    this.modelNames = texts(member(data, "model_names"));
    this.logitScales = numbers(member(data, "logit_scales"));
    this.prior = numbers(member(data, "prior"));
    readSizes(integers(member(data, "feature_dims")));
  }

  /** N. */
  get rows(): u64 { return dataset.rows; }
  /** C. */
  get classes(): i32 { return <i32>dataset.classes; }
  /** M. */
  get models(): i32 { return <i32>dataset.models; }
  /** Rows of each batch but the last. */
  get batchRows(): i32 { return <i32>dataset.batchRows; }
  /** How many rounds there may be. */
  get maxRounds(): i32 { return <i32>dataset.maxRounds; }
  /** The run's. */
  get seed(): u64 { return dataset.seed; }
  /** D of each model; empty unless features are granted. */
  get featureDims(): i32[] { return featureDims; }

  /**
   * Opens views of softmax(log p / temperature) in place of p, which the host
   * computes; temperature > 0. Not of agreement, the last selection, and features.
   */
  at(temperature: f32): Opener {
    return new Opener(temperature);
  }

  /**
   * Says whether the host takes records of a kind (EMIT_SOFT …) from a selection. A
   * policy whose result is of one that it does not take had better fail in `configure`.
   */
  takes(kind: EmitKind): bool {
    switch (kind) {
      case EMIT_HARD: return true;
      case EMIT_SOFT: return (dataset.flags & TAKES_SOFT) != 0;
      case EMIT_CANDIDATES: return (dataset.flags & TAKES_CANDIDATES) != 0;
      case EMIT_DROP: return (dataset.flags & TAKES_DROPS) != 0;
    }
    return false;
  }

  /** Says whether the host learns from each round's selection, so that the next one has other probabilities. */
  get learns(): bool { return (dataset.flags & RETRAINS) != 0; }

  /** Says whether the parameter is given (or has a default), and is not null. */
  has(parameter: string): bool {
    const value = this.params.get(parameter);
    return value !== null && value.kind != JSONKind.NULL;
  }

  /** An integer parameter, of 32 bits. */
  int(parameter: string): i32 {
    const x = this.float(parameter);
    if (x == <f64>(<i32>x)) return <i32>x;
    unusable(parameter, "is not an integer of 32 bits");
    return 0;
  }

  /** A number parameter. */
  float(parameter: string): f64 {
    const value = this.param(parameter, JSONKind.NUMBER, "a number");
    if (value === null) return 0;
    const x = value.number();
    if (isFinite(x)) return x;
    unusable(parameter, "is not a number that can be represented");
    return 0;
  }

  /** A string parameter. */
  text(parameter: string): string {
    const value = this.param(parameter, JSONKind.STRING, "a string");
    return value === null ? "" : value.text;
  }

  /** A parameter of true or false. */
  bool(parameter: string): bool {
    const value = this.param(parameter, JSONKind.BOOL, "true or false");
    return value !== null && value.text.length > 0;
  }

  /** A parameter that is a list of numbers. */
  floats(parameter: string): f64[] {
    return numbers(this.list(parameter, JSONKind.NUMBER, "a list of numbers"));
  }

  /** A parameter that is a list of strings. */
  texts(parameter: string): string[] {
    return texts(this.list(parameter, JSONKind.STRING, "a list of strings"));
  }

  private param(parameter: string, kind: JSONKind, wanted: string): JSONValue | null {
    const value = this.params.get(parameter);
    if (value !== null && value.kind == kind) return value;
    unusable(parameter, this.has(parameter) ? "is not " + wanted : "is missing");
    return null;
  }

  private list(parameter: string, kind: JSONKind, wanted: string): JSONValue {
    const list = this.param(parameter, JSONKind.ARRAY, wanted);
    if (list === null) return nothing();
    for (let i = 0; i < list.items.length; i++) {
      if (list.items[i].kind == kind) continue;
      unusable(parameter, "is not " + wanted);
      return nothing();
    }
    return list;
  }
}

function nothing(): JSONValue {
  return new JSONValue(JSONKind.NULL);
}

function member(object: JSONValue, name: string): JSONValue {
  const value = object.get(name);
  return value === null ? nothing() : value;
}

function texts(list: JSONValue): string[] {
  const out = new Array<string>();
  for (let i = 0; i < list.items.length; i++) out.push(list.items[i].text);
  return out;
}

function numbers(list: JSONValue): f64[] {
  const out = new Array<f64>();
  for (let i = 0; i < list.items.length; i++) out.push(list.items[i].number());
  return out;
}

function integers(list: JSONValue): i32[] {
  const out = new Array<i32>();
  for (let i = 0; i < list.items.length; i++) out.push(<i32>list.items[i].number());
  return out;
}
