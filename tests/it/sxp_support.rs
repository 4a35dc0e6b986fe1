//! Trees for the tests of S-expressions.

use proptest::collection::vec;
use proptest::prelude::*;
use std::thread;
use xend::sxp::{Limits, Sxp};

pub(crate) const LIMITS: &Limits = &Limits::DEFAULT;

pub(crate) fn trees_of(
    atoms: impl Strategy<Value = Vec<u8>> + 'static,
) -> impl Strategy<Value = Sxp> {
    let leaf = atoms.prop_map(Sxp::atom);
    leaf.prop_recursive(6, 64, 8, |inner| vec(inner, 0..8).prop_map(Sxp::list))
}

pub(crate) fn trees() -> impl Strategy<Value = Sxp> {
    trees_of(prop_oneof![
        vec(any::<u8>(), 0..60),
        "[a-z0-9:/._-]{0,40}".prop_map(String::into_bytes),
        "-?[0-9]{1,22}".prop_map(String::into_bytes),
    ])
}

/// Runs `work` on a stack that is far too small for recursion on the depth of the tree.
pub(crate) fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}

pub(crate) const DEEP: usize = 1_000_000;
