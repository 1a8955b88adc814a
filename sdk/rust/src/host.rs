use crate::abi::{Dataset, EmitKind, Level, ViewSpec};
use crate::error::Result;

/// What runs a policy: the imports of the binary interface, as Rust sees them.
///
/// Policies use [`Setup`](crate::Setup), [`Views`](crate::Views) and
/// [`Round`](crate::Round) instead; a WebAssembly module's host and the one of
/// [`testing`](crate::testing) implement it.
pub trait Host {
    /// The configuration: JSON, `{"dataset": {…}, "params": {…}, "policy": "name"}`.
    fn config(&self) -> Result<Vec<u8>>;

    /// The data's size and the state of the run.
    fn dataset(&self) -> Result<Dataset>;

    /// Opens a view and gives its handle.
    fn open_view(&self, spec: &ViewSpec) -> Result<i32>;

    /// Copies `n` records from `first` on into `dst`, and gives their size in bytes.
    /// Where `dst` is smaller nothing is copied.
    fn read_view(&self, handle: i32, first: i64, n: i32, dst: &mut [u8]) -> Result<usize>;

    /// Takes whole records of one kind.
    fn emit(&self, kind: EmitKind, records: &[u8]) -> Result<()>;

    /// Whether lines of a level are wanted.
    fn log_enabled(&self, level: Level) -> bool;

    /// Writes a line to the run's log.
    fn log(&self, level: Level, message: &str) -> Result<()>;

    /// Records a number of the rule's own.
    fn metric(&self, name: &str, value: f64) -> Result<()>;

    /// Fills `dst` with bytes that are a function of the run's seed, the policy and
    /// the round alone.
    fn random(&self, dst: &mut [u8]) -> Result<()>;
}
