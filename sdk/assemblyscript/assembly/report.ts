import * as host from "./imports";
import { refused } from "./fault";

/** Writes a line to the run's log, where its level (LEVEL_INFO …) is wanted. */
export function log(level: i32, message: string): void {
  if (!host.logEnabled(level)) return;
  const text = String.UTF8.encode(message);
  // A full log is the host's to report; a policy need not stop for it.
  host.log(level, changetype<usize>(text), text.byteLength);
}

/** Records a number of the rule's own, finite, under its name and the round. */
export function metric(name: string, value: f64): void {
  const text = String.UTF8.encode(name);
  const code = host.metric(changetype<usize>(text), text.byteLength, value);
  if (code < 0) refused(code, "recording the metric " + name);
}
