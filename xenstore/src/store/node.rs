//! A node, and who may do what with it.

use crate::perms::{Access, Permission};

/// Domain 0, which may do everything.
pub(crate) const HOST: u32 = 0;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) domid: u32,
    /// The domain whose rights it has beside its own.
    pub(crate) target: Option<u32>,
}

impl Who {
    pub(crate) fn is_host(self) -> bool {
        self.domid == HOST
    }

    fn acts_for(self, domid: u32) -> bool {
        self.domid == domid || self.target == Some(domid)
    }
}

/// What a request does with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Read,
    Write,
    /// Only its owner and the host may set its permissions.
    SetPermissions,
}

/// An entry of a node's permissions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) permission: Permission,
    /// The domain was not there when the entry was made, or is gone: a later one with its number
    /// does not get its rights.
    pub(crate) is_void: bool,
}

impl Entry {
    pub(crate) fn new(access: Access, domid: u32) -> Self {
        Self { permission: Permission::new(access, domid), is_void: false }
    }

    /// Whether it is that of a domain which is there.
    pub(crate) fn is_of(&self, domid: u32) -> bool {
        !self.is_void && self.permission.domid == domid
    }

    fn is_for(&self, who: Who) -> bool {
        !self.is_void && who.acts_for(self.permission.domid)
    }
}

/// A node. Nodes are shared between the tree and transactions, and replaced, not changed.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Vec<u8>,
    /// Never empty: the first entry names the owner.
    pub(crate) permissions: Vec<Entry>,
    /// The names of its children, oldest first, with a NUL after each.
    pub(crate) names: String,
    /// Another number after each change.
    pub(crate) generation: u64,
}

impl Node {
    /// An empty node of the host.
    pub(crate) fn of_host() -> Self {
        Self {
            value: Vec::new(),
            permissions: vec![Entry::new(Access::None, HOST)],
            names: String::new(),
            generation: 0,
        }
    }

    pub(crate) fn owner(&self) -> u32 {
        self.permissions.first().map_or(HOST, |owner| owner.permission.domid)
    }

    /// Whether an entry of its permissions, the owner's or another, is a domain's.
    pub(crate) fn names_domain(&self, domid: u32) -> bool {
        self.permissions.iter().any(|entry| entry.is_of(domid))
    }

    pub(crate) fn allows(&self, who: Who, need: Need) -> bool {
        if who.is_host() || who.acts_for(self.owner()) {
            return true;
        }
        let others = self.permissions.first();
        let own = self.permissions.iter().skip(1).find(|entry| entry.is_for(who));
        let access = own.or(others).map_or(Access::None, |entry| entry.permission.access);
        match need {
            Need::Read => access.reads(),
            Need::Write => access.writes(),
            Need::SetPermissions => false,
        }
    }

    /// The size that quotas are about, in bytes: what the daemon keeps of it in its database.
    pub(crate) fn size(&self) -> usize {
        const HEADER: usize = 24;
        const ENTRY: usize = 8;
        HEADER + ENTRY * self.permissions.len() + self.value.len() + self.names.len()
    }

    /// The names of its children.
    pub(crate) fn children(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.names.split_terminator('\0')
    }

    pub(crate) fn add_child(&mut self, name: &str) {
        self.names.push_str(name);
        self.names.push('\0');
    }

    pub(crate) fn remove_child(&mut self, name: &str) {
        let mut start = 0;
        for child in self.names.split_inclusive('\0') {
            let end = start + child.len();
            if child.strip_suffix('\0') == Some(name) {
                self.names.drain(start..end);
                return;
            }
            start = end;
        }
    }
}
