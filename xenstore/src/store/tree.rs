//! All nodes by their paths.

use super::node::{Entry, HOST, Node};
use super::quota::{STORE_BYTES, at_most};
use crate::error::Refusal;
use crate::perms::Access;
use std::collections::HashMap;
use std::sync::Arc;
#[cfg(test)]
use {
    super::paths,
    std::collections::{BTreeMap, HashSet},
};

/// What is watched to hear of new domains.
pub(crate) const INTRODUCED: &str = "@introduceDomain";

/// What is watched to hear of domains that are gone or have shut down.
pub(crate) const RELEASED: &str = "@releaseDomain";

/// The nodes that everybody sees. Every node but `/` and the special ones is listed by its parent.
pub(crate) struct Tree {
    nodes: HashMap<Box<str>, Arc<Node>>,
    /// How many nodes each domain owns.
    owned: HashMap<u32, usize>,
    /// The bytes of all nodes and paths.
    bytes: usize,
    generation: u64,
}

impl Tree {
    /// The nodes that a daemon starts with.
    pub(crate) fn new() -> Self {
        let mut tree =
            Self { nodes: HashMap::new(), owned: HashMap::new(), bytes: 0, generation: 0 };
        for (path, names) in [
            ("/", "tool\0"),
            ("/tool", "xenstored\0"),
            ("/tool/xenstored", ""),
            (INTRODUCED, ""),
            (RELEASED, ""),
        ] {
            tree.put(path, Node { names: names.to_owned(), ..Node::of_host() });
        }
        tree
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Arc<Node>> {
        self.nodes.get(path)
    }

    /// The generation of a node, none if there is no such node.
    pub(crate) fn generation(&self, path: &str) -> Option<u64> {
        self.get(path).map(|node| node.generation)
    }

    /// A number that no change had before.
    pub(crate) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    pub(crate) fn put(&mut self, path: &str, mut node: Node) {
        node.generation = self.next_generation();
        self.bytes += path.len() + node.size();
        *self.owned.entry(node.owner()).or_default() += 1;
        let old = self.nodes.insert(path.into(), Arc::new(node));
        self.forget(path, old.as_deref());
    }

    pub(crate) fn remove(&mut self, path: &str) {
        let old = self.nodes.remove(path);
        self.forget(path, old.as_deref());
    }

    fn forget(&mut self, path: &str, old: Option<&Node>) {
        let Some(old) = old else { return };
        self.bytes -= path.len() + old.size();
        if let Some(count) = self.owned.get_mut(&old.owner()) {
            *count -= 1;
            if *count == 0 {
                self.owned.remove(&old.owner());
            }
        }
    }

    /// How many nodes a domain owns.
    pub(crate) fn owned_by(&self, domid: u32) -> usize {
        self.owned.get(&domid).copied().unwrap_or(0)
    }

    /// Refuses further bytes when the store is full.
    pub(crate) fn check_room(&self, more: usize) -> Result<(), Refusal> {
        at_most(self.bytes.saturating_add(more), STORE_BYTES, Refusal::NoSpace)
    }

    /// Takes a domain that is gone its rights to the nodes that are left. The host gets those that
    /// cannot be removed, such as `/`.
    pub(crate) fn forget_domain(&mut self, domid: u32) {
        for path in self.paths(|node| node.names_domain(domid)) {
            let Some(mut node) = self.get(&path).map(|node| Node::clone(node)) else { continue };
            if let Some(owner) = node.permissions.first_mut().filter(|owner| owner.is_of(domid)) {
                *owner = Entry::new(Access::None, HOST);
            }
            for entry in node.permissions.iter_mut().filter(|entry| entry.is_of(domid)) {
                entry.is_void = true;
            }
            self.put(&path, node);
        }
    }

    /// The paths of nodes for which `chosen` holds, in no order.
    pub(crate) fn paths(&self, chosen: impl Fn(&Node) -> bool) -> Vec<String> {
        let chosen = self.nodes.iter().filter(|(_, node)| chosen(node));
        chosen.map(|(path, _)| path.as_ref().to_owned()).collect()
    }
}

#[cfg(test)]
impl Tree {
    /// Each path with value, permissions and the names of the children.
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        let nodes = self.nodes.iter();
        nodes
            .map(|(path, node)| {
                let Node { value, permissions, names, .. } = &**node;
                (path.as_ref().to_owned(), format!("{value:?} {permissions:?} {names:?}"))
            })
            .collect()
    }

    /// Fails with what is inconsistent.
    pub(crate) fn check(&self, is_domain: impl Fn(u32) -> bool) -> Result<(), String> {
        let mut owned: HashMap<u32, usize> = HashMap::new();
        let mut bytes = 0;
        for (path, node) in &self.nodes {
            bytes += path.len() + node.size();
            *owned.entry(node.owner()).or_default() += 1;
            if !is_domain(node.owner()) {
                return Err(format!("{path} belongs to domain {}, which is gone", node.owner()));
            }
            let mut names = HashSet::new();
            for name in node.children() {
                if !names.insert(name) || !self.nodes.contains_key(&*paths::child(path, name)) {
                    return Err(format!("{path} has no child {name}, or two"));
                }
            }
            let is_top = &**path == "/" || paths::is_special(path);
            let parent = paths::parent(path).and_then(|parent| self.get(parent));
            let is_listed = parent
                .is_some_and(|parent| parent.children().any(|name| name == paths::name(path)));
            if !is_top && !is_listed {
                return Err(format!("No parent lists {path}"));
            }
        }
        if owned != self.owned || bytes != self.bytes {
            return Err(format!(
                "{owned:?} {bytes} are counted as {:?} {}",
                self.owned, self.bytes
            ));
        }
        Ok(())
    }
}
