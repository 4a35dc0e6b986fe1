//! The table of all functions.

use super::function::Function;
use super::{cpu, devices, domains, files, lifecycle, node, pools, security, unsupported};

/// All functions.
fn functions() -> impl Iterator<Item = &'static Function> {
    [
        domains::FUNCTIONS,
        lifecycle::FUNCTIONS,
        files::FUNCTIONS,
        cpu::FUNCTIONS,
        devices::FUNCTIONS,
        node::FUNCTIONS,
        pools::FUNCTIONS,
        security::FUNCTIONS,
        unsupported::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The function of this name.
pub(super) fn find(method: &str) -> Option<&'static Function> {
    functions().find(|function| function.name == method)
}

/// The names of all functions.
pub(in crate::wire::xmlrpc) fn methods() -> impl Iterator<Item = &'static str> {
    functions().map(|function| function.name)
}

/// The parameters of a function, and the number of required ones.
pub(in crate::wire::xmlrpc) fn parameters(
    method: &str,
) -> Option<(&'static [&'static str], usize)> {
    find(method).map(|function| (function.params, function.required))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_unique_names() {
        let mut names: Vec<_> = methods().collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(functions().all(|function| function.required <= function.params.len()));
    }
}
