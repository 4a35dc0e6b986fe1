//! The nodes of XenStore below a domain's directory.
//!
//! As much of XenStore as hosts and guests use of it here: paths and values, what a guest may
//! change, and the quotas of a guest. There are no transactions and no watches.

use crate::core::model::{DomId, DomainConfig, StorePath};
use crate::core::ports::TreeLimits;
use std::collections::BTreeMap;
use std::fmt;

/// The nodes that a toolstack makes for every domain.
const TOPS: [&str; 6] = ["attr", "control", "data", "drivers", "error", "feature"];

/// The nodes of a domain that belong to its guest, with all below them.
const OF_THE_GUEST: [&str; 10] = [
    "attr",
    "data",
    "drivers",
    "error",
    "feature",
    "control/shutdown",
    "control/sysrq",
    "control/feature-poweroff",
    "control/feature-reboot",
    "control/feature-suspend",
];

/// The most nodes of a domain. Real hosts have no limit for what the host writes.
const MAX_NODES: usize = 8192;

/// The number of nodes up to which a guest can make more: xenstored's quota.
const GUEST_NODES: usize = 1000;

/// The size of a node up to which a guest can write it, in bytes: xenstored's quota. The names of
/// the nodes below it count, and so do owner, permissions and lengths.
const GUEST_NODE_SIZE: usize = 2048;
const NODE_HEADER: usize = 33;

/// Why XenStore refuses a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The node is not the guest's: `EACCES`.
    Access,
    /// A quota is used up: `ENOSPC`.
    NoSpace,
}

/// The nodes below a domain's directory, by their paths relative to it. The node above each is
/// there as well.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Nodes(BTreeMap<String, Vec<u8>>);

/// Shows no values: passwords are among them.
impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Nodes {
    /// What a toolstack writes before the guest starts.
    pub(super) fn new(domid: DomId, config: &DomainConfig) -> Self {
        let mut nodes = Self::default();
        for top in TOPS {
            nodes.set(top, b"");
        }
        nodes.set("domid", domid.to_string().as_bytes());
        nodes.set_name(config.name.as_str());
        for (path, value) in config.xenstore_data.iter() {
            nodes.set(path.as_str(), value);
        }
        nodes
    }

    /// All nodes, sorted by their paths.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, value)| (path.as_str(), value.as_slice()))
    }

    /// The value of a node; `None` if there is no such node.
    pub(super) fn read(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// The nodes below a node with their values.
    pub(super) fn below(&self, path: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let start = format!("{path}/");
        let rest = self.0.range(start.clone()..);
        rest.take_while(move |(path, _)| path.starts_with(&start))
            .map(|(path, value)| (path.as_str(), value.as_slice()))
    }

    /// The nodes directly below a node, by their names.
    pub(super) fn children(&self, path: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let skipped = path.len() + 1;
        self.below(path)
            .filter_map(move |(path, value)| Some((path.get(skipped..)?, value)))
            .filter(|(name, _)| !name.contains('/'))
    }

    /// The nodes below a node within limits, by their paths.
    pub(super) fn tree(&self, path: &StorePath, limits: TreeLimits) -> Vec<(String, Vec<u8>)> {
        let levels = |path: &str| path.split('/').count();
        let lowest = levels(path.as_str()).saturating_add(limits.depth);
        let nodes = self.below(path.as_str()).filter(|(path, _)| levels(path) <= lowest);
        nodes.take(limits.nodes).map(|(path, value)| (path.to_owned(), value.to_vec())).collect()
    }

    /// Writes a node as the host.
    pub(super) fn write(&mut self, path: &StorePath, value: &[u8]) -> Result<(), Refusal> {
        if self.0.len() + self.missing(path.as_str()) > MAX_NODES {
            return Err(Refusal::NoSpace);
        }
        self.set(path.as_str(), value);
        Ok(())
    }

    /// Removes a node and all below it as the host.
    pub(super) fn remove(&mut self, path: &str) {
        let start = format!("{path}/");
        self.0.retain(|other, _| other != path && !other.starts_with(&start));
    }

    /// Writes a node as the guest.
    pub(super) fn guest_write(&mut self, path: &str, value: &[u8]) -> Result<(), Refusal> {
        if !is_of_the_guest(path) {
            return Err(Refusal::Access);
        }
        let missing = self.missing(path);
        let is_full = missing > 0 && self.0.len() + missing > GUEST_NODES;
        let mut parent_is_full = false;
        if let Some((parent, name)) = path.rsplit_once('/').filter(|_| missing > 0) {
            let size = self.size(parent, self.read(parent).unwrap_or_default());
            parent_is_full = size + name.len() + 1 > GUEST_NODE_SIZE;
        }
        if is_full || parent_is_full || self.size(path, value) > GUEST_NODE_SIZE {
            return Err(Refusal::NoSpace);
        }
        self.set(path, value);
        Ok(())
    }

    /// Removes a node and all below it as the guest.
    pub(super) fn guest_remove(&mut self, path: &str) -> Result<(), Refusal> {
        if !is_of_the_guest(path) {
            return Err(Refusal::Access);
        }
        self.remove(path);
        Ok(())
    }

    /// Changes the domain's name.
    pub(super) fn set_name(&mut self, name: &str) {
        self.set("name", name.as_bytes());
    }

    /// Writes a node, and makes those above it.
    pub(super) fn set(&mut self, path: &str, value: &[u8]) {
        for above in above(path) {
            if !self.0.contains_key(above) {
                self.0.insert(above.to_owned(), Vec::new());
            }
        }
        self.0.insert(path.to_owned(), value.to_vec());
    }

    /// How many nodes a write of this one makes.
    fn missing(&self, path: &str) -> usize {
        above(path).chain([path]).filter(|path| !self.0.contains_key(*path)).count()
    }

    /// The size of a node with this value, as xenstored counts it.
    fn size(&self, path: &str, value: &[u8]) -> usize {
        let names: usize = self.children(path).map(|(name, _)| name.len() + 1).sum();
        NODE_HEADER + value.len() + names
    }
}

/// The paths of the nodes above a node, the topmost first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(slash, _)| path.get(..slash))
}

fn is_of_the_guest(path: &str) -> bool {
    above(path).chain([path]).any(|node| OF_THE_GUEST.contains(&node))
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;
    use crate::core::model::XenstoreData;

    fn path(text: &str) -> StorePath {
        StorePath::new(text).unwrap()
    }

    fn nodes() -> Nodes {
        let mut config = config("web", 64);
        config.xenstore_data.set("vm-data/hostname", Some("web1".into())).unwrap();
        config.xenstore_data.set("vm-data/networking/00163E000001", Some("{}".into())).unwrap();
        Nodes::new(DomId(7), &config)
    }

    #[test]
    fn the_toolstack_writes_the_configured_data() {
        let nodes = nodes();
        assert_eq!(nodes.read("name"), Some(b"web".as_slice()));
        assert_eq!(nodes.read("domid"), Some(b"7".as_slice()));
        assert_eq!(nodes.read("vm-data/hostname"), Some(b"web1".as_slice()));
        assert_eq!(nodes.read("vm-data/networking"), Some(b"".as_slice()));
        assert_eq!(nodes.read("vm-data/other"), None);
        let children: Vec<_> = nodes.children("vm-data").map(|(name, _)| name).collect();
        assert_eq!(children, ["hostname", "networking"]);
    }

    #[test]
    fn a_tree_is_read_within_limits() {
        let mut nodes = nodes();
        // Names that sort between a node and those below it.
        nodes.write(&path("vm-data-2/x"), b"1").unwrap();
        nodes.write(&path("vm-data0"), b"1").unwrap();
        let paths = |depth, count| -> Vec<String> {
            let limits = TreeLimits { depth, nodes: count };
            nodes.tree(&path("vm-data"), limits).into_iter().map(|(path, _)| path).collect()
        };
        assert_eq!(paths(1, 9), ["vm-data/hostname", "vm-data/networking"]);
        let all = ["vm-data/hostname", "vm-data/networking", "vm-data/networking/00163E000001"];
        assert_eq!(paths(2, 9), all);
        assert_eq!(paths(usize::MAX, usize::MAX), all);
        assert_eq!(paths(9, 1), ["vm-data/hostname"]);
        assert!(paths(0, 9).is_empty());
        let limits = TreeLimits { depth: 9, nodes: 9 };
        assert!(nodes.tree(&path("nosuch"), limits).is_empty());
    }

    #[test]
    fn a_node_goes_with_those_below_it() {
        let mut nodes = nodes();
        nodes.write(&path("data/host/one/two"), b"x").unwrap();
        nodes.write(&path("data/host-2"), b"y").unwrap();
        assert_eq!(nodes.read("data/host/one"), Some(b"".as_slice()));
        nodes.remove("data/host");
        assert_eq!(nodes.below("data").collect::<Vec<_>>(), [("data/host-2", b"y".as_slice())]);
        nodes.remove("data/host");
        assert!(nodes.read("data").is_some());
    }

    #[test]
    fn a_guest_changes_its_own_nodes_alone() {
        let mut nodes = nodes();
        let before = nodes.clone();
        for foreign in ["vm-data/hostname", "vm-data/new", "name", "new", "control", "control/new"]
        {
            assert_eq!(nodes.guest_write(foreign, b"x"), Err(Refusal::Access), "{foreign}");
            assert_eq!(nodes.guest_remove(foreign), Err(Refusal::Access), "{foreign}");
        }
        assert_eq!(nodes, before);
        for own in ["attr/vif/0/ipv4/0", "data/updated", "control/feature-suspend"] {
            nodes.guest_write(own, b"1").unwrap();
        }
        nodes.write(&path("data/host/id"), b"{}").unwrap();
        nodes.guest_remove("data/host/id").unwrap();
        assert_eq!(nodes.read("data/host"), Some(b"".as_slice()));
    }

    #[test]
    fn the_quotas_are_those_that_were_measured() {
        let mut nodes = nodes();
        assert_eq!(nodes.guest_write("data/x", &[b'x'; 2016]), Err(Refusal::NoSpace));
        nodes.guest_write("data/x", &[b'x'; 2015]).unwrap();
        let response = |n: usize| format!("data/guest/{n:08}-89ab-cdef-0123-456789abcdef");
        for n in 0..54 {
            nodes.guest_write(&response(n), b"{}").unwrap();
        }
        assert_eq!(nodes.guest_write(&response(54), b"{}"), Err(Refusal::NoSpace));
        nodes.guest_write(&response(0), b"{...}").unwrap();
        nodes.guest_remove(&response(0)).unwrap();
        nodes.guest_write(&response(54), b"{}").unwrap();

        for n in 0.. {
            let made = nodes.guest_write(&format!("data/{}/{n}", n / 20), b"");
            if made.is_err() {
                break;
            }
        }
        assert_eq!(nodes.iter().count(), GUEST_NODES);
        // The host's nodes are limited, too, but not by the guest's.
        for n in 0.. {
            if let Err(refusal) = nodes.write(&path(&format!("tool/{n}")), b"") {
                assert_eq!(refusal, Refusal::NoSpace);
                break;
            }
        }
        assert_eq!(nodes.iter().count(), MAX_NODES);
    }

    #[test]
    fn every_configuration_fits() {
        let mut config = config("a", 64);
        let deep = "/x".repeat(XenstoreData::MAX_DEPTH - 2);
        for n in 0..XenstoreData::MAX_NODES {
            let node = format!("vm-data/{n}{deep}");
            config.xenstore_data.set(&node, Some("x".into())).unwrap();
        }
        assert!(Nodes::new(DomId(7), &config).iter().count() <= MAX_NODES);
    }
}
