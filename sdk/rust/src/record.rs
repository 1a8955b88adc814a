//! Records as bytes: fixed layouts without padding, whose memory is their encoding.
#![allow(unsafe_code)]

use std::mem::size_of_val;
use std::slice;

use crate::abi::{Candidate, Dataset, Emitted, Label, Ranked, Stats, ViewSpec};

#[cfg(target_endian = "big")]
compile_error!("records are little-endian");

/// What a view may hold.
///
/// # Safety
///
/// The type has no padding, and any bytes are a value of it.
pub unsafe trait Record: Copy + Default + 'static {}

unsafe impl Record for f32 {}
unsafe impl Record for f64 {}
unsafe impl Record for Candidate {}
unsafe impl Record for Dataset {}
unsafe impl Record for Emitted {}
unsafe impl Record for Label {}
unsafe impl Record for Ranked {}
unsafe impl Record for Stats {}
unsafe impl Record for ViewSpec {}

/// The encoding of records.
pub(crate) fn bytes<T: Record>(records: &[T]) -> &[u8] {
    // SAFETY: a record has no padding, which would be uninitialised memory.
    unsafe { slice::from_raw_parts(records.as_ptr().cast(), size_of_val(records)) }
}

/// The memory that records are read into.
pub(crate) fn bytes_mut<T: Record>(records: &mut [T]) -> &mut [u8] {
    // SAFETY: any bytes are a record.
    unsafe { slice::from_raw_parts_mut(records.as_mut_ptr().cast(), size_of_val(records)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_encoding() {
        let label = Label { row: 1 << 32, class: 2, weight: 1.0, ..Label::default() };
        let want = [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes(&[label]), want);
        let mut read = [Label::default()];
        bytes_mut(&mut read).copy_from_slice(&want);
        assert_eq!(read, [label]);
        assert!(bytes::<f32>(&[]).is_empty());
    }
}
