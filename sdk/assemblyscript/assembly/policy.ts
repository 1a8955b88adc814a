import { KIND_ENSEMBLE, KIND_SELECTION, ViewKind, viewName } from "./abi";
import { quoteJSON } from "./json";
import { Batch, Round } from "./round";
import { Setup } from "./setup";

/** What selections and ensembles have in common. It is made anew for every run. */
abstract class Rule {
  /** Reads the parameters and opens views, once. */
  abstract configure(setup: Setup): void;

  /** Prepares a round: may open views for it alone, and skip its batches. */
  beginRound(round: Round): void {}

  /** Sees the next batch of rows; batch views are readable. */
  observe(batch: Batch): void {}
}

/** Chooses pseudo labels. */
export abstract class Selection extends Rule {
  /**
   * Concludes a round: reads global views, emits. The last round's selection is the
   * result. Asking for another (true) after a round that emitted lets the host learn
   * from its selection, where it does that, and gives the next round what it learnt;
   * after one that emitted nothing it is another pass over the same.
   */
  abstract endRound(round: Round): bool;
}

/** Makes one matrix of probabilities of those of several models. */
export abstract class Ensemble extends Rule {
  /** Concludes a round: reads global views. True asks for another pass. */
  endRound(round: Round): bool {
    return false;
  }

  /**
   * Fills `batch.output` with the probabilities of the batch's rows: finite, not
   * negative, each row summing to 1 within 1e-2.
   */
  abstract combine(batch: Batch): void;
}

/** Declares a policy: what a module lists in `plugin`. */
export class Policy {
  /** Lower case letters, digits and hyphens. */
  name: string;
  /** Semantic version. */
  version: string;
  /** One line. */
  summary: string = "";
  /**
   * The JSON Schema of the parameters: an object. The host checks them before the
   * policy runs, and fills in each property's "default".
   */
  parameters: string = '{"type":"object","additionalProperties":false}';
  /** The views that the policy may open (VIEW_STATS …); others are denied. */
  needs: ViewKind[] = [];
  /** Whether the policy may ask for more than one round. */
  rounds: bool = false;

  /** Exactly one of the two makes the policy. */
  selection: (() => Selection) | null = null;
  ensemble: (() => Ensemble) | null = null;
}

/** For the SDK: what the module holds. */
export let policies: Policy[] = [];

/** Lists the policies of a module: the one place that says what it holds. */
export function plugin(list: Policy[]): void {
  policies = list;
}

/** What a module says of itself, as JSON. For the SDK. */
export function describe(): string {
  const described = policies.map<string>((policy) => {
    const views = policy.needs.map<string>((view) => quoteJSON(viewName(view)));
    return '{"name":' + quoteJSON(policy.name)
      + ',"version":' + quoteJSON(policy.version)
      + ',"kind":' + quoteJSON(policy.ensemble !== null ? KIND_ENSEMBLE : KIND_SELECTION)
      + ',"summary":' + quoteJSON(policy.summary)
      + ',"needs":{"views":[' + views.join(",") + '],"rounds":' + (policy.rounds ? "true" : "false")
      + '},"parameters":' + policy.parameters + "}";
  });
  return '{"policies":[' + described.join(",") + "]}";
}
