import { Batch, LEVEL_INFO, Round, SIZE_VIEW_SPEC, Selection, Setup, ViewSpec, log } from "upl-plugin/assembly";
import * as host from "upl-plugin/assembly/imports";

const spec = changetype<ViewSpec>(memory.data(64));
const buffer = memory.data(4096);

/** Asks the host without the SDK: opens a view as the parameters have it, reads it in every call, and logs the answers. */
export class Asking extends Selection {
  private handle: i32 = -1;
  private first: u64 = 0;
  private n: i32 = 1;
  private capacity: i32 = 4096;
  private late: bool = false;
  private emit: i32 = 0;

  configure(setup: Setup): void {
    spec.size = setup.has("size") ? setup.int("size") : <u32>SIZE_VIEW_SPEC;
    spec.kind = <u16>setup.int("kind");
    if (setup.has("flags")) spec.flags = <u16>setup.int("flags");
    spec.model = setup.has("model") ? setup.int("model") : -1;
    if (setup.has("m")) spec.m = setup.int("m");
    if (setup.has("class")) spec.class = setup.int("class");
    if (setup.has("temperature")) spec.temperature = setup.text("temperature") == "NaN" ? NaN : <f32>parseFloat(setup.text("temperature"));
    if (setup.has("reserved")) spec.reserved0 = setup.int("reserved");
    if (setup.has("beyond")) store<u8>(changetype<usize>(spec) + SIZE_VIEW_SPEC, 1);
    if (setup.has("first")) this.first = <u64>setup.float("first");
    if (setup.has("n")) this.n = setup.int("n");
    if (setup.has("capacity")) this.capacity = setup.int("capacity");
    this.late = setup.has("late");
    if (setup.has("emit")) this.emit = setup.int("emit");
    if (!this.late) this.open("configure");
  }

  beginRound(round: Round): void {
    if (this.late) this.open("begin");
    this.read("begin");
  }

  observe(batch: Batch): void {
    this.read("observe");
    if (this.late) this.open("observe");
  }

  endRound(round: Round): bool {
    this.read("end");
    if (this.emit != 0) answer("emit", host.emit(this.emit, buffer, this.n));
    return round.number == 0;
  }

  private open(when: string): void {
    const handle = host.openView(changetype<usize>(spec), <i32>spec.size);
    if (when != "observe") this.handle = handle;
    answer("open in " + when, handle);
  }

  private read(when: string): void {
    if (this.handle >= 0) answer("read in " + when, host.readView(this.handle, this.first, this.n, buffer, this.capacity));
  }
}

function answer(what: string, code: i32): void {
  log(LEVEL_INFO, what + ": " + code.toString());
}
