//! An element, and what has been read of it.

use crate::error::Fault;
use std::cell::Cell;

/// An element. It has no `Debug`, since its values can be passwords.
pub(crate) struct Element {
    pub(crate) name: String,
    /// Byte offset in the text.
    pub(crate) offset: u32,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    is_read: Cell<bool>,
}

/// What libvirt notes beside a configuration, and what every domain has.
const WITHOUT_MEANING: [&str; 7] =
    ["address", "alias", "controller", "memballoon", "metadata", "resource", "seclabel"];

impl Element {
    /// An element without content.
    pub(crate) fn new(name: String, offset: u32, attributes: Vec<(String, String)>) -> Self {
        let is_read = Cell::new(false);
        Self { name, offset, attributes, text: String::new(), children: Vec::new(), is_read }
    }

    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether an attribute has this value.
    pub(crate) fn is(&self, attribute: &str, value: &str) -> bool {
        self.attribute(attribute) == Some(value)
    }

    /// The first child of a name, which counts as read.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        let child = self.children.iter().find(|child| child.name == name)?;
        child.is_read.set(true);
        Some(child)
    }

    /// The children of a name, which count as read.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> + 'a {
        let children = self.children.iter().filter(move |child| child.name == name);
        children.inspect(|child| child.is_read.set(true))
    }

    /// The text of the first child of a name, without blanks around it.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// The attribute of the first child of a name.
    pub(crate) fn attribute_of(&self, name: &str, attribute: &str) -> Option<&str> {
        self.child(name)?.attribute(attribute)
    }

    /// Counts all that is in the element as read.
    pub(crate) fn ignore(&self) {
        for child in &self.children {
            child.is_read.set(true);
            child.ignore();
        }
    }

    /// Adds the elements to `warnings` that nothing has read. The limit on the depth of a file
    /// bounds the recursion.
    pub(crate) fn unread(&self, warnings: &mut Vec<Fault>) {
        for child in &self.children {
            if child.is_read.get() {
                child.unread(warnings);
            } else if !WITHOUT_MEANING.contains(&child.name.as_str()) {
                let reason = format!("<{}> of <{}> is left out", child.name, self.name);
                warnings.push(Fault::new(child.offset, reason));
            }
        }
    }
}
