// The module that the SDK is tested with: policies that show what they get.

import {
  VIEW_AGREE, VIEW_CLASS_MEAN, VIEW_CLASS_TOP_K, VIEW_COLUMN, VIEW_FEATURES, VIEW_GATHER, VIEW_PREVIOUS, VIEW_QUANTILE, VIEW_ROWS,
  VIEW_STATS, VIEW_TOP_M, plugin,
} from "upl-plugin/assembly";
import { Asking } from "./asking";
import { Faulty } from "./faults";
import { Parameters } from "./parameters";
import { Draws, Results, Weighted } from "./results";
import { Views } from "./views";
export * from "upl-plugin/assembly/exports";

const ANYTHING = '{"type": "object"}';

const EVERYTHING = [
  VIEW_ROWS, VIEW_TOP_M, VIEW_STATS, VIEW_AGREE, VIEW_COLUMN, VIEW_GATHER, VIEW_CLASS_TOP_K, VIEW_CLASS_MEAN, VIEW_QUANTILE,
  VIEW_PREVIOUS, VIEW_FEATURES,
];

plugin([
  {
    name: "views", version: "1.0.0", parameters: ANYTHING, rounds: true,
    summary: "logs what every view has; \"quoted\"\n\u2028",
    needs: EVERYTHING,
    selection: () => new Views(),
  },
  {
    name: "results", version: "1.0.0", summary: "emits what it is told to", rounds: true,
    parameters: '{"type": "object", "properties": {"kind": {"default": "hard"}, "count": {"default": 1}, "weight": {"default": 1}, "rounds": {"default": 1}}}',
    needs: [VIEW_PREVIOUS, VIEW_ROWS],
    selection: () => new Results(),
  },
  { name: "parameters", version: "1.0.0", parameters: ANYTHING, selection: () => new Parameters() },
  { name: "draws", version: "1.0.0", parameters: ANYTHING, rounds: true, selection: () => new Draws() },
  { name: "faulty", version: "1.0.0", parameters: ANYTHING, needs: [VIEW_STATS, VIEW_GATHER], selection: () => new Faulty() },
  {
    name: "weighted", version: "1.0.0", rounds: true, needs: [VIEW_ROWS, VIEW_CLASS_MEAN],
    parameters: '{"type": "object", "properties": {"fault": {"default": ""}}}',
    ensemble: () => new Weighted(),
  },
  { name: "asking", version: "1.0.0", parameters: ANYTHING, rounds: true, needs: EVERYTHING, selection: () => new Asking() },
  { name: "nothing", version: "1.0.0" },
]);
