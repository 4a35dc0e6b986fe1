//! Transactions: changes beside the tree, which are carried out if nothing that they have seen has
//! changed.

use super::node::{Node, Who};
use super::quota::{GUEST_NODES, GUEST_TRANSACTION_NODES, HOST_TRANSACTION_NODES, at_most};
use super::tree::Tree;
use super::view::{Change, View};
use crate::error::Refusal;
use std::collections::HashMap;
use std::sync::Arc;

/// What a transaction has seen and changed so far.
#[derive(Default)]
pub(crate) struct Transaction {
    /// In the order in which they were seen.
    touched: Vec<Touched>,
    by_path: HashMap<Box<str>, usize>,
    has_created: bool,
    has_failed: bool,
    /// A domain that its nodes name is gone.
    is_outdated: bool,
}

/// A node that a transaction has seen, or a path where it has seen none.
struct Touched {
    path: Box<str>,
    /// As it was in the tree.
    before: Option<Arc<Node>>,
    /// As the transaction leaves it.
    now: Option<Arc<Node>>,
    is_changed: bool,
    /// Whether watches hear of it, and if so, whether only those on its very path.
    is_exact: Option<bool>,
}

impl Transaction {
    /// Carries the transaction out, and returns what watches hear of. `ENOMEM`: one of its requests
    /// was above a quota. `ENOSPC`: all of it is. `EAGAIN`: a node that it has seen has changed.
    pub(crate) fn commit(self, tree: &mut Tree, who: Who) -> Result<Vec<Change>, Refusal> {
        if self.has_failed {
            return Err(Refusal::NoMemory);
        }
        if self.has_created && !who.is_host() {
            let owned = |node: &Option<Arc<Node>>| {
                usize::from(node.as_ref().is_some_and(|node| node.owner() == who.domid))
            };
            let before: usize = self.touched.iter().map(|one| owned(&one.before)).sum();
            let now: usize = self.touched.iter().map(|one| owned(&one.now)).sum();
            // The daemon wants room for one more.
            at_most(tree.owned_by(who.domid) + now + 1, GUEST_NODES + before, Refusal::NoSpace)?;
        }
        if self.is_outdated || self.touched.iter().any(|one| one.is_outdated(tree)) {
            return Err(Refusal::Again);
        }
        tree.check_room(self.touched.iter().map(Touched::new_bytes).sum())?;
        for one in self.touched.iter().filter(|one| one.is_changed) {
            match &one.now {
                Some(node) => tree.put(&one.path, Node::clone(node)),
                None => tree.remove(&one.path),
            }
        }
        Ok(self.touched.into_iter().filter_map(|one| one.change(tree)).collect())
    }

    /// Notes that a domain is gone: nodes that the transaction gives to it must not be carried out.
    pub(crate) fn forget_domain(&mut self, domid: u32) {
        let mut changed = self.touched.iter().filter(|one| one.is_changed);
        self.is_outdated |=
            changed.any(|one| one.now.as_ref().is_some_and(|node| node.names_domain(domid)));
    }

    /// Notes a node that is seen for the first time, and returns its place.
    fn add(&mut self, path: &str, before: Option<Arc<Node>>, who: Who) -> Result<usize, Refusal> {
        let limit = if who.is_host() { HOST_TRANSACTION_NODES } else { GUEST_TRANSACTION_NODES };
        let place = self.touched.len();
        if let Err(refusal) = at_most(place + 1, limit, Refusal::NoSpace) {
            self.has_failed = true;
            return Err(refusal);
        }
        let now = before.clone();
        let path: Box<str> = path.into();
        self.by_path.insert(path.clone(), place);
        self.touched.push(Touched { path, before, now, is_changed: false, is_exact: None });
        Ok(place)
    }
}

impl Touched {
    /// Whether the node has changed since, or come or gone.
    fn is_outdated(&self, tree: &Tree) -> bool {
        self.before.as_ref().map(|node| node.generation) != tree.generation(&self.path)
    }

    fn new_bytes(&self) -> usize {
        let node = self.now.as_ref().filter(|_| self.is_changed);
        node.map_or(0, |node| self.path.len() + node.size())
    }

    fn change(self, tree: &Tree) -> Option<Change> {
        let is_exact = self.is_exact?;
        if self.now.is_some() {
            return Some(Change::new(tree, &self.path, is_exact, self.before.as_ref()));
        }
        // Of a removed node, only those who could read it hear.
        Some(Change { path: self.path.into(), is_exact, nodes: vec![self.before?] })
    }
}

/// The tree with the changes of a transaction.
pub(crate) struct Inside<'a> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) transaction: &'a mut Transaction,
    pub(crate) who: Who,
}

impl Inside<'_> {
    fn touch(&mut self, path: &str) -> Result<&mut Touched, Refusal> {
        let place = if let Some(place) = self.transaction.by_path.get(path) {
            *place
        } else {
            self.transaction.add(path, self.tree.get(path).cloned(), self.who)?
        };
        self.transaction.touched.get_mut(place).ok_or(Refusal::Io)
    }
}

impl View for Inside<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Arc<Node>>, Refusal> {
        Ok(self.touch(path)?.now.clone())
    }

    fn put(&mut self, path: &str, mut node: Node) -> Result<(), Refusal> {
        node.generation = self.tree.next_generation();
        let touched = self.touch(path)?;
        touched.is_changed = true;
        let creates = touched.now.replace(Arc::new(node)).is_none();
        self.transaction.has_created |= creates;
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), Refusal> {
        let touched = self.touch(path)?;
        touched.is_changed = true;
        touched.now = None;
        Ok(())
    }

    fn changed(&mut self, path: &str, is_exact: bool, _: Option<&Arc<Node>>) {
        // What has changed was touched before.
        if let Ok(touched) = self.touch(path) {
            touched.is_exact = Some(is_exact && touched.is_exact.unwrap_or(true));
        }
    }

    fn fail(&mut self) {
        self.transaction.has_failed = true;
    }

    fn tree(&self) -> &Tree {
        self.tree
    }
}
