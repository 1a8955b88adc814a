import { CODE_CONFIG, CODE_INTERNAL, Code, codeName } from "./abi";

/**
 * An error as a value: AssemblyScript has no exceptions.
 *
 * The first failure is kept, whether of the host, of the SDK or of the policy
 * (`fail`). From then on views read as empty, their records as zeros, and nothing is
 * emitted, so that a policy need not look after each call; when its method returns,
 * the run ends with the code and the message. What it can do without, it takes back
 * by `recover`.
 */
export class Fault {
  constructor(
    /** CODE_CONFIG, CODE_DATA … */
    readonly code: Code,
    readonly message: string,
  ) {}
}

let first: Fault | null = null;

/** The address of the first failure's message, or 0: for `abort`, which has no stack to spare. */
export let pendingMessage: usize = 0;

/** Ends the run with an error once the policy's method returns. Later failures change nothing. */
export function fail(code: Code, message: string): void {
  if (first !== null) return;
  first = new Fault(code < 0 ? code : CODE_INTERNAL, message);
  pendingMessage = changetype<usize>(message);
}

/** Fails with a parameter that the user has to change; the message is shown as it is. */
export function unusable(parameter: string, reason: string): void {
  fail(CODE_CONFIG, "parameter " + parameter + ": " + reason);
}

/** Says whether something has failed: the way out of a long loop. */
export function failed(): bool {
  return first !== null;
}

/** Takes back what has failed, if anything has: the run goes on. */
export function recover(): Fault | null {
  const fault = first;
  first = null;
  pendingMessage = 0;
  return fault;
}

/** Fails with the host's answer, below 0, to what was being done. */
export function refused(code: Code, doing: string): void {
  const name = codeName(code);
  fail(code, doing + ": " + (name.length > 0 ? name : "error " + code.toString()));
}
