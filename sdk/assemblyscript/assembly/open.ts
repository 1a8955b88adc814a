import {
  Candidate, Dataset, ENSEMBLE, FLAG_ALL, FLAG_COLUMN, FLAG_TEXT, SIZE_DATASET, SIZE_VIEW_SPEC, Stats, VIEW_AGREE, VIEW_CLASS_MEAN,
  VIEW_CLASS_TOP_K, VIEW_COLUMN, VIEW_FEATURES, VIEW_GATHER, VIEW_PREVIOUS, VIEW_QUANTILE, VIEW_ROWS, VIEW_STATS, VIEW_TOP_M,
  ViewKind, ViewSpec, viewName,
} from "./abi";
import { failed, refused } from "./fault";
import * as host from "./imports";
import { ClassTopK, Previous, View } from "./view";

const spec = changetype<ViewSpec>(memory.data(<i32>SIZE_VIEW_SPEC));

/** Sizes of the data set, for the SDK: `Setup` has them. */
export const dataset = changetype<Dataset>(memory.data(<i32>SIZE_DATASET));

/** D of each model; empty unless features are granted. For the SDK: `Setup` has them. */
export let featureDims: i32[] = [];

/** Reads the sizes. For the SDK. */
export function readSizes(dims: i32[]): void {
  const code = host.getDataset(changetype<usize>(dataset), <i32>SIZE_DATASET);
  if (code < 0) refused(code, "reading the sizes of the data set");
  featureDims = dims;
}

/**
 * Opens views, of the probabilities as they are or at a temperature. `model` is 0
 * to M-1, or ENSEMBLE. What the host refuses is a failure (see `Fault`): a policy
 * that can do without the view calls `recover`, and does not use it.
 */
export class Opener {
  /** For the SDK: policies have `Setup`, and `Setup.at`. */
  constructor(private temperature: f32) {}

  /**
   * The probabilities themselves, C a row. A loop over them costs a nanosecond
   * each: mind the views that do it natively.
   */
  openRows(model: i32 = ENSEMBLE): View<f32> {
    return this.view<f32>(VIEW_ROWS, <i32>dataset.classes, model);
  }

  /** The m most probable classes of each row; 1 <= m <= C. */
  openTopM(m: i32, model: i32 = ENSEMBLE): View<Candidate> {
    return this.view<Candidate>(VIEW_TOP_M, m, model, m);
  }

  /** Class, probability, margin and entropy of each row. Flags: 0 or FLAG_NO_ENTROPY. */
  openStats(flags: u16 = 0, model: i32 = ENSEMBLE): View<Stats> {
    return this.view<Stats>(VIEW_STATS, 1, model, 0, 0, flags);
  }

  /** Each model's most probable class, M a row. Not at a temperature. */
  openAgree(): View<Candidate> {
    return this.view<Candidate>(VIEW_AGREE, <i32>dataset.models, ENSEMBLE);
  }

  /** The probability of one class, one a row. */
  openColumn(class_: i32, model: i32 = ENSEMBLE): View<f32> {
    return this.view<f32>(VIEW_COLUMN, 1, model, 0, class_);
  }

  /**
   * Rows by number, C values each, from `beginRound` on, in any order. What a round
   * may read has a limit, and the time counts as the policy's.
   */
  openGather(model: i32 = ENSEMBLE): View<f32> {
    return this.view<f32>(VIEW_GATHER, <i32>dataset.classes, model);
  }

  /**
   * For each class, the m first rows in its order: of those predicted as it or, with
   * FLAG_ALL, of all. m >= 1.
   */
  openClassTopK(m: i32, flags: u16 = 0, model: i32 = ENSEMBLE): ClassTopK {
    return new ClassTopK(VIEW_CLASS_TOP_K, this.open(VIEW_CLASS_TOP_K, model, m, 0, flags), m);
  }

  /**
   * For each class, 1 + C numbers: how many rows are predicted as it, and the sums of
   * their probabilities. With FLAG_ALL there is one record, over all rows.
   */
  openClassMean(flags: u16 = 0, model: i32 = ENSEMBLE): View<f64> {
    return this.view<f64>(VIEW_CLASS_MEAN, 1 + <i32>dataset.classes, model, 0, 0, flags);
  }

  /**
   * The quantiles 0/m, 1/m … m/m of a statistic of the rows (QUANTILE_P,
   * QUANTILE_MARGIN, QUANTILE_ENTROPY), linear between order statistics; NaN without rows.
   */
  openQuantile(statistic: u32, m: i32, model: i32 = ENSEMBLE): View<f64> {
    return this.view<f64>(VIEW_QUANTILE, 1, model, m, <i32>statistic);
  }

  /** The quantiles of the probabilities of one class, as `openQuantile` has them. */
  openColumnQuantile(class_: i32, m: i32, model: i32 = ENSEMBLE): View<f64> {
    return this.view<f64>(VIEW_QUANTILE, 1, model, m, class_, FLAG_COLUMN);
  }

  /**
   * Those of every class: m + 1 for each. The host keeps all probabilities of the
   * model for it, which its limit on views bounds.
   */
  openColumnQuantiles(m: i32, model: i32 = ENSEMBLE): View<f64> {
    return this.view<f64>(VIEW_QUANTILE, m + 1, model, m, 0, FLAG_COLUMN | FLAG_ALL);
  }

  /** The last selection, from `beginRound` on. Not at a temperature. */
  openPrevious(): Previous {
    return new Previous(VIEW_PREVIOUS, this.open(VIEW_PREVIOUS, ENSEMBLE, 0, 0, 0), 1);
  }

  /**
   * The image features of a model, D a row; denied where the operator has not
   * granted features. Not at a temperature.
   */
  openFeatures(model: i32): View<f32> {
    return this.view<f32>(VIEW_FEATURES, featureDim(model), model);
  }

  /** The features of the C class texts, likewise, from `beginRound` on. */
  openTextFeatures(model: i32): View<f32> {
    return this.view<f32>(VIEW_FEATURES, featureDim(model), model, 0, 0, FLAG_TEXT);
  }

  private view<T>(kind: ViewKind, width: i32, model: i32, m: i32 = 0, class_: i32 = 0, flags: u16 = 0): View<T> {
    return new View<T>(kind, this.open(kind, model, m, class_, flags), width);
  }

  private open(kind: ViewKind, model: i32, m: i32, class_: i32, flags: u16): i32 {
    if (failed()) return -1;
    spec.size = <u32>SIZE_VIEW_SPEC;
    spec.kind = kind;
    spec.flags = flags;
    spec.model = model;
    spec.m = max(m, 0); // which the host refuses
    spec.class = class_;
    spec.temperature = this.temperature;
    const handle = host.openView(changetype<usize>(spec), <i32>SIZE_VIEW_SPEC);
    if (handle < 0) refused(handle, "opening view " + viewName(kind));
    return handle;
  }
}

function featureDim(model: i32): i32 {
  return model >= 0 && model < featureDims.length ? featureDims[model] : 0;
}
