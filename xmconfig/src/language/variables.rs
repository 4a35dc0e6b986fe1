//! The variables of a file.

use super::value::Value;
use std::collections::HashMap;

/// A variable that a file sets.
#[derive(Debug)]
pub struct Variable {
    name: String,
    offset: u32,
    value: Value,
    is_used: bool,
}

impl Variable {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Byte offset of the last statement that sets the variable.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The last value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether the value of another variable is made of this one.
    pub fn is_used(&self) -> bool {
        self.is_used
    }
}

/// The variables of a file in the order in which it first sets them.
#[derive(Debug, Default)]
pub struct Variables {
    list: Vec<Variable>,
    by_name: HashMap<String, usize>,
}

impl Variables {
    /// The variable with this name.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.list.get(*self.by_name.get(name)?)
    }

    /// All variables in order.
    pub fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.list.iter()
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let variable = self.list.get_mut(*self.by_name.get(name)?)?;
        Some(&mut variable.value)
    }

    pub(super) fn mark_used(&mut self, name: &str) {
        if let Some(variable) = self.by_name.get(name).and_then(|n| self.list.get_mut(*n)) {
            variable.is_used = true;
        }
    }

    /// Sets a variable at a byte offset of the text.
    pub(crate) fn set(&mut self, name: &str, offset: u32, value: Value) {
        if let Some(variable) = self.by_name.get(name).and_then(|n| self.list.get_mut(*n)) {
            variable.offset = offset;
            variable.value = value;
            return;
        }
        self.by_name.insert(name.to_owned(), self.list.len());
        self.list.push(Variable { name: name.to_owned(), offset, value, is_used: false });
    }
}
