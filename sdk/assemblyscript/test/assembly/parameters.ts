import { LEVEL_INFO, Round, Selection, Setup, log, metric } from "upl-plugin/assembly";
import { JSONKind, JSONValue, parseJSON, quoteJSON } from "upl-plugin/assembly/json";

/** Reads the parameter `name` as a `type`, and logs it, and the JSON text of parameter `json` as it understands it. */
export class Parameters extends Selection {
  configure(setup: Setup): void {
    if (setup.has("json")) log(LEVEL_INFO, rewrite(setup.text("json")));
    if (!setup.has("type")) return;
    const type = setup.text("type");
    if (type == "int") log(LEVEL_INFO, setup.int("x").toString());
    else if (type == "float") log(LEVEL_INFO, setup.float("x").toString());
    else if (type == "text") log(LEVEL_INFO, setup.text("x"));
    else if (type == "bool") log(LEVEL_INFO, setup.bool("x").toString());
    else if (type == "floats") log(LEVEL_INFO, setup.floats("x").join(" "));
    else if (type == "bits") for (let i = 0, x = setup.floats("x"); i < x.length; i++) metric("x", x[i]);
    else if (type == "texts") log(LEVEL_INFO, setup.texts("x").join(" "));
    else if (type == "setup") log(LEVEL_INFO, describe(setup));
  }

  endRound(round: Round): bool {
    return false;
  }
}

function describe(s: Setup): string {
  return [
    s.rows.toString(), s.classes.toString(), s.models.toString(), s.batchRows.toString(), s.maxRounds.toString(), s.seed.toString(),
    s.classNames.join(","), s.modelNames.join(","), s.logitScales.join(","), s.prior.join(","), s.featureDims.join(","),
  ].join(" ");
}

function rewrite(text: string): string {
  const value = parseJSON(String.UTF8.encode(text));
  return value === null ? "malformed" : written(value);
}

/** The value as JSON, numbers as AssemblyScript has them. */
function written(v: JSONValue): string {
  switch (v.kind) {
    case JSONKind.NULL: return "null";
    case JSONKind.BOOL: return v.text.length > 0 ? "true" : "false";
    case JSONKind.NUMBER: return v.number().toString();
    case JSONKind.STRING: return quoteJSON(v.text);
  }
  let out = "";
  for (let i = 0; i < v.items.length; i++) {
    if (i > 0) out += ",";
    if (v.kind == JSONKind.OBJECT) out += quoteJSON(v.names[i]) + ":";
    out += written(v.items[i]);
  }
  return v.kind == JSONKind.OBJECT ? "{" + out + "}" : "[" + out + "]";
}
