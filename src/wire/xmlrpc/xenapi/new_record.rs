//! The record of a new object: the struct that a `create` takes.

use super::failure::Failure;
use super::references::find_object;
use crate::core::model::{Uuid, WholeNumber};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// The record of a new object.
pub(crate) struct NewRecord<'a> {
    class: &'static str,
    members: &'a [(String, Value)],
}

/// A member of a record, which is read like a parameter.
pub(crate) struct Member<'a> {
    name: [&'static str; 1],
    value: &'a Value,
}

impl Member<'_> {
    pub(crate) fn args(&self) -> Args<'_> {
        Args { names: &self.name, values: std::slice::from_ref(self.value) }
    }
}

impl<'a> NewRecord<'a> {
    /// The record that is the parameter after the session.
    pub(crate) fn from_args(class: &'static str, args: &Args<'a>) -> Result<Self, Failure> {
        match args.values.get(1) {
            Some(Value::Struct(members)) => Ok(Self { class, members }),
            _ => Err(Failure::value("record", "a struct is expected")),
        }
    }

    /// A member; `None` if it is missing or nil.
    pub(crate) fn member(&self, name: &'static str) -> Option<Member<'a>> {
        let (_, value) =
            self.members.iter().find(|(key, value)| key == name && *value != Value::Nil)?;
        Some(Member { name: [name], value })
    }

    pub(crate) fn optional_text(&self, name: &'static str) -> Result<Option<String>, Failure> {
        Ok(self.member(name).map(|member| member.args().text(0)).transpose()?)
    }

    /// A text, empty if it is missing.
    pub(crate) fn text(&self, name: &'static str) -> Result<String, Failure> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    pub(crate) fn required_text(&self, name: &'static str) -> Result<String, Failure> {
        let text = self.optional_text(name)?;
        text.ok_or_else(|| Failure::new("CREATE_UNSPECIFIED_ATTRIBUTE", [name, self.class]))
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Failure> {
        Ok(self
            .member(name)
            .map(|member| member.args().flag(0, false))
            .transpose()?
            .unwrap_or(false))
    }

    pub(crate) fn number<T: TryFrom<i64> + WholeNumber>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Failure> {
        let Some(member) = self.member(name) else { return Ok(None) };
        // xm sends the empty string for a number that it does not know.
        if *member.value == Value::text("") {
            return Ok(None);
        }
        Ok(Some(member.args().number(0)?))
    }

    /// A number of VCPUs.
    pub(crate) fn vcpus(&self, name: &'static str) -> Result<Option<u32>, Failure> {
        let member = self.member(name).filter(|member| *member.value != Value::text(""));
        Ok(member.map(|member| member.args().vcpus(0)).transpose()?)
    }

    pub(crate) fn map(&self, name: &'static str) -> Result<BTreeMap<String, String>, Failure> {
        Ok(self.member(name).map(|member| member.args().map(0)).transpose()?.unwrap_or_default())
    }

    /// A text that is parsed; `None` if it is missing or empty.
    pub(crate) fn parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure>
    where
        T::Err: Display,
    {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error: T::Err| Failure::value(name, &error))
    }

    /// The reference of an object of a class. `find` looks it up.
    pub(crate) fn object<T>(
        &self,
        name: &'static str,
        class: &'static str,
        find: impl FnOnce(Uuid) -> Result<T, Failure>,
    ) -> Result<Uuid, Failure> {
        find_object(class, &self.required_text(name)?, find)
    }
}
