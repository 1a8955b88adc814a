//! The host's functions and the module's own: all that is WebAssembly's.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::panic;
use std::ptr;
use std::rc::Rc;

use crate::abi::*;
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::host::Host;
use crate::policy::{describe, Batches, Next, Policy};
use crate::record::{bytes, bytes_mut};
use crate::round::Batch;

/// The imports. Pointers and lengths are checked by the host against the module's
/// memory; it keeps none.
mod import {
    #[link(wasm_import_module = "upl_v1")]
    extern "C" {
        pub fn get_config(ptr: *mut u8, cap: i32) -> i32;
        pub fn get_dataset(ptr: *mut u8, cap: i32) -> i32;
        pub fn put_manifest(ptr: *const u8, len: i32) -> i32;
        pub fn open_view(ptr: *const u8, len: i32) -> i32;
        pub fn read_view(handle: i32, first: i64, n: i32, ptr: *mut u8, cap: i32) -> i32;
        pub fn emit(kind: i32, ptr: *const u8, len: i32) -> i32;
        pub fn log_enabled(level: i32) -> i32;
        pub fn log(level: i32, ptr: *const u8, len: i32) -> i32;
        pub fn metric(name_ptr: *const u8, name_len: i32, value: f64) -> i32;
        pub fn random(ptr: *mut u8, len: i32) -> i32;
        pub fn fail(code: i32, ptr: *const u8, len: i32) -> i32;
    }
}

/// The host of a WebAssembly module.
struct Imports;

fn check(result: i32) -> Result<i32> {
    if result < 0 {
        return Err(Error::new(Code(result), ""));
    }
    Ok(result)
}

// SAFETY: each call passes a live slice, exclusive where the host writes, with its length:
// that is all that the imports ask for.
impl Host for Imports {
    fn config(&self) -> Result<Vec<u8>> {
        let size = check(unsafe { import::get_config(ptr::null_mut(), 0) })?;
        let mut text = vec![0; size as usize];
        check(unsafe { import::get_config(text.as_mut_ptr(), size) })?;
        Ok(text)
    }

    fn dataset(&self) -> Result<Dataset> {
        let mut dataset = [Dataset::default()];
        let memory = bytes_mut(&mut dataset);
        check(unsafe { import::get_dataset(memory.as_mut_ptr(), memory.len() as i32) })?;
        Ok(dataset[0])
    }

    fn open_view(&self, spec: &ViewSpec) -> Result<i32> {
        let spec = [*spec];
        let spec = bytes(&spec);
        check(unsafe { import::open_view(spec.as_ptr(), spec.len() as i32) })
    }

    fn read_view(&self, handle: i32, first: i64, n: i32, dst: &mut [u8]) -> Result<usize> {
        let size = check(unsafe { import::read_view(handle, first, n, dst.as_mut_ptr(), dst.len() as i32) })?;
        Ok(size as usize)
    }

    fn emit(&self, kind: EmitKind, records: &[u8]) -> Result<()> {
        check(unsafe { import::emit(kind.0, records.as_ptr(), records.len() as i32) }).map(drop)
    }

    fn log_enabled(&self, level: Level) -> bool {
        unsafe { import::log_enabled(level.0) > 0 }
    }

    fn log(&self, level: Level, message: &str) -> Result<()> {
        check(unsafe { import::log(level.0, message.as_ptr(), message.len() as i32) }).map(drop)
    }

    fn metric(&self, name: &str, value: f64) -> Result<()> {
        check(unsafe { import::metric(name.as_ptr(), name.len() as i32, value) }).map(drop)
    }

    fn random(&self, dst: &mut [u8]) -> Result<()> {
        check(unsafe { import::random(dst.as_mut_ptr(), dst.len() as i32) }).map(drop)
    }
}

thread_local! {
    /// An instance runs one policy, once; exported functions have no receiver.
    static RUNNING: RefCell<Option<Guest>> = RefCell::new(None);
}

/// Hands the host an error's message and gives its code.
fn failed(error: &Error) -> i32 {
    let message = error.to_string();
    unsafe { import::fail(error.code.0, message.as_ptr(), message.len() as i32) };
    error.code.0
}

fn answer(result: Result<i32>) -> i32 {
    result.unwrap_or_else(|error| failed(&error))
}

/// Tells the host of a panic before the module is aborted: there is no other way
/// out of a WebAssembly module.
fn report_panics() {
    panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let place = info.location().map_or_else(String::new, |at| format!(" ({})", at));
        let error = Error::new(CODE_INTERNAL, format!("panic: {}{}", text, place));
        let _ = Imports.log(LEVEL_ERROR, &error.message); // fail is all there is otherwise
        failed(&error);
    }));
}

/// Is `upl_describe`.
pub fn upl_describe(policies: &[Policy]) -> i32 {
    report_panics();
    let manifest = describe(policies);
    answer(check(unsafe { import::put_manifest(manifest.as_ptr(), manifest.len() as i32) }))
}

/// Is `upl_configure`.
pub fn upl_configure(policies: &[Policy]) -> i32 {
    report_panics();
    answer(Guest::configure(Rc::new(Imports), policies).map(|guest| {
        RUNNING.with(|running| *running.borrow_mut() = Some(guest));
        0
    }))
}

fn run(f: impl FnOnce(&mut Guest) -> Result<i32>) -> i32 {
    RUNNING.with(|running| match running.borrow_mut().as_mut() {
        Some(guest) => answer(f(guest)),
        None => CODE_STATE.0,
    })
}

/// Is `upl_begin_round`.
pub fn upl_begin_round(round: i32) -> i32 {
    run(|guest| Ok(i32::from(guest.begin_round(round as u32)? == Batches::Skip)))
}

/// Is `upl_observe`.
pub fn upl_observe(first_row: i64, rows: i32) -> i32 {
    run(|guest| guest.observe(&Batch { first: first_row as u64, rows: rows as usize }).map(|()| 0))
}

/// Is `upl_end_round`.
pub fn upl_end_round(_round: i32) -> i32 {
    run(|guest| Ok(i32::from(guest.end_round()? == Next::Round)))
}

/// Is `upl_combine`.
pub fn upl_combine(first_row: i64, rows: i32) -> i32 {
    run(|guest| guest.combine(&Batch { first: first_row as u64, rows: rows as usize }).map(|()| 0))
}
