//! The nodes as a request sees them: all there are, or with the changes of a transaction.

use super::node::Node;
use super::paths;
use super::tree::Tree;
use crate::error::Refusal;
use std::sync::Arc;

/// What watches hear of.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) path: String,
    /// Only watches on this very path hear of it, not those on a node above.
    pub(crate) is_exact: bool,
    /// The node before and after the change, and its parent. Who may read one of them hears of it.
    pub(crate) nodes: Vec<Arc<Node>>,
}

impl Change {
    /// A change of a node as it is in the tree, and as it was before if others could read it then.
    pub(crate) fn new(tree: &Tree, path: &str, is_exact: bool, before: Option<&Arc<Node>>) -> Self {
        let parent = paths::parent(path).and_then(|parent| tree.get(parent));
        let nodes = [before, tree.get(path), parent];
        let nodes = nodes.into_iter().flatten().cloned().collect();
        Self { path: path.to_owned(), is_exact, nodes }
    }
}

/// Nodes to read and change.
pub(crate) trait View {
    fn get(&mut self, path: &str) -> Result<Option<Arc<Node>>, Refusal>;
    fn put(&mut self, path: &str, node: Node) -> Result<(), Refusal>;
    fn remove(&mut self, path: &str) -> Result<(), Refusal>;

    /// Tells that a node has changed, or will be removed. `before` is what it was if others could
    /// read it then.
    fn changed(&mut self, path: &str, is_exact: bool, before: Option<&Arc<Node>>);

    /// The node was too large for its domain. A transaction cannot be carried out any more.
    fn fail(&mut self);

    /// The nodes without the changes of a transaction.
    fn tree(&self) -> &Tree;
}

/// Outside of transactions: changes are seen at once.
pub(crate) struct Direct<'a> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) changes: Vec<Change>,
}

impl View for Direct<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Arc<Node>>, Refusal> {
        Ok(self.tree.get(path).cloned())
    }

    fn put(&mut self, path: &str, node: Node) -> Result<(), Refusal> {
        self.tree.put(path, node);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), Refusal> {
        self.tree.remove(path);
        Ok(())
    }

    fn changed(&mut self, path: &str, is_exact: bool, before: Option<&Arc<Node>>) {
        self.changes.push(Change::new(self.tree, path, is_exact, before));
    }

    fn fail(&mut self) {}

    fn tree(&self) -> &Tree {
        self.tree
    }
}
