//! All metrics.

use super::{connections, daemon, domains, engine};
use crate::wire::metrics::family::Family;

/// All metrics, in the order in which they are printed.
pub(in crate::wire::metrics) fn all() -> impl Iterator<Item = &'static Family> {
    [daemon::DAEMON, engine::ENGINE, connections::CONNECTIONS, domains::DOMAINS]
        .into_iter()
        .flatten()
}
