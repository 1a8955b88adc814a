//! Selection and ensembling policies for upl-host, in Rust.
//!
//! upl-host turns the probabilities that pretrained models give pictures into
//! pseudo labels. A *selection* decides which pictures get which labels; an
//! *ensemble* makes one matrix of probabilities of several models'. A plugin is a
//! WebAssembly module with policies of either kind: a type with a trait,
//! [`Selection`] or [`Ensemble`], a [`Policy`] that declares it, and [`export!`].
//!
//! ```
//! use upl_plugin::*;
//!
//! /// Labels every image whose first class leads by a margin.
//! struct Decided {
//!     lead: f32,
//!     stats: View<Stats>,
//! }
//!
//! impl Selection for Decided {
//!     fn configure(setup: &Setup) -> Result<Self> {
//!         Ok(Decided {
//!             lead: setup.param("lead")?,
//!             stats: setup.views().stats_without_entropy(Source::Ensemble)?,
//!         })
//!     }
//!
//!     fn observe(&mut self, batch: &Batch, round: &mut Round) -> Result<()> {
//!         for (row, s) in batch.numbers().zip(self.stats.batch(batch)?) {
//!             if s.margin >= self.lead {
//!                 round.emit(Label::new(row, s.class))?;
//!             }
//!         }
//!         Ok(())
//!     }
//!
//!     fn end_round(&mut self, _: &mut Round) -> Result<Next> {
//!         Ok(Next::Done)
//!     }
//! }
//!
//! pub fn policy() -> Policy {
//!     Policy::selection::<Decided>("decided")
//!         .version("1.0.0")
//!         .needs(&[VIEW_STATS])
//!         .parameters(r#"{"type": "object", "additionalProperties": false,
//!             "properties": {"lead": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}}}"#)
//! }
//!
//! export!(policy());
//!
//! # fn main() -> Result<()> {
//! // A test, natively.
//! let p = testing::Matrix::from([[0.9, 0.1], [0.6, 0.4]]);
//! let got = testing::Input::new(p).params(r#"{"lead": 0.6}"#).select(&policy())?;
//! assert_eq!(got.labels, [Label::new(0, 0)]);
//! # Ok(())
//! # }
//! ```
//!
//! Choose a view that does the work ([`Views`] lists them): the host computes it
//! natively, and a policy is fast when it loops over 16 bytes a row instead of all
//! probabilities.
//!
//! An [`Error`] ends the run; its code says whose fault it is. A panic does too,
//! and is reported with its place and the functions it came through. There are no
//! files, network, clock or environment.

#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod abi;
mod error;
mod guest;
mod host;
pub mod json;
mod policy;
mod record;
mod round;
mod setup;
pub mod testing;
mod view;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[doc(no_inline)]
pub use abi::*;
pub use error::{Error, Result};
pub use host::Host;
pub use policy::{describe, Batches, Ensemble, Next, Policy, Selection};
pub use record::Record;
pub use round::{Batch, Round};
pub use setup::{Param, Setup};
pub use view::{ClassMean, ClassTopK, Mean, Previous, Source, Statistic, View, Views};

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod exports {
    //! What [`export!`](crate::export) calls.
    pub use crate::wasm::{upl_begin_round, upl_combine, upl_configure, upl_describe, upl_end_round, upl_observe};
}

/// Makes a crate a plugin with these policies: defines `policies()`, which lists
/// them, and the functions that the host calls. Once in a crate, in its root;
/// `crate-type` is `["cdylib"]`, with `"rlib"` for programs beside it.
#[macro_export]
macro_rules! export {
    ($($policy:expr),+ $(,)?) => {
        /// The policies of this plugin.
        pub fn policies() -> ::std::vec::Vec<$crate::Policy> {
            ::std::vec![$($policy),+]
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[no_mangle]
            extern "C" fn upl_abi_version() -> i32 {
                $crate::ABI_VERSION
            }
            #[no_mangle]
            extern "C" fn upl_describe() -> i32 {
                $crate::exports::upl_describe(&policies())
            }
            #[no_mangle]
            extern "C" fn upl_configure() -> i32 {
                $crate::exports::upl_configure(&policies())
            }
            #[no_mangle]
            extern "C" fn upl_begin_round(round: i32) -> i32 {
                $crate::exports::upl_begin_round(round)
            }
            #[no_mangle]
            extern "C" fn upl_observe(first_row: i64, rows: i32) -> i32 {
                $crate::exports::upl_observe(first_row, rows)
            }
            #[no_mangle]
            extern "C" fn upl_end_round(round: i32) -> i32 {
                $crate::exports::upl_end_round(round)
            }
            #[no_mangle]
            extern "C" fn upl_combine(first_row: i64, rows: i32) -> i32 {
                $crate::exports::upl_combine(first_row, rows)
            }
        };
    };
}
