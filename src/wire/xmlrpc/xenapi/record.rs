//! What a new object is to be: the struct that a `create` takes.

use super::failure::Failure;
use super::world::World;
use crate::core::model::Uuid;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The record of an object of a class.
pub(super) struct Record<'a> {
    class: &'static str,
    members: &'a [(String, Value)],
}

/// One member, as an argument of its own.
pub(super) struct Member<'a> {
    name: [&'static str; 1],
    value: &'a Value,
}

impl Member<'_> {
    pub(super) fn args(&self) -> Args<'_> {
        Args { names: &self.name, values: std::slice::from_ref(self.value) }
    }
}

impl<'a> Record<'a> {
    /// The parameter behind the session.
    pub(super) fn of(class: &'static str, args: &Args<'a>) -> Result<Self, Failure> {
        match args.values.get(1) {
            Some(Value::Struct(members)) => Ok(Self { class, members }),
            _ => Err(Failure::value("record", "a struct is expected")),
        }
    }

    /// A member that was given, and is not nil.
    pub(super) fn args_of(&self, name: &'static str) -> Option<Member<'a>> {
        let (_, value) =
            self.members.iter().find(|(key, value)| key == name && *value != Value::Nil)?;
        Some(Member { name: [name], value })
    }

    pub(super) fn optional_text(&self, name: &'static str) -> Result<Option<String>, Failure> {
        Ok(self.args_of(name).map(|member| member.args().text(0)).transpose()?)
    }

    /// A text; what is missing is empty.
    pub(super) fn text(&self, name: &'static str) -> Result<String, Failure> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    pub(super) fn needed(&self, name: &'static str) -> Result<String, Failure> {
        let text = self.optional_text(name)?;
        text.ok_or_else(|| Failure::new("CREATE_UNSPECIFIED_ATTRIBUTE", [name, self.class]))
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Failure> {
        Ok(self
            .args_of(name)
            .map(|member| member.args().flag(0, false))
            .transpose()?
            .unwrap_or(false))
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        let Some(member) = self.args_of(name) else { return Ok(None) };
        // xm sends the empty string for what it knows nothing of.
        if *member.value == Value::text("") {
            return Ok(None);
        }
        Ok(Some(member.args().number(0)?))
    }

    /// A number of VCPUs.
    pub(super) fn vcpus(&self, name: &'static str) -> Result<Option<u32>, Failure> {
        let member = self.args_of(name).filter(|member| *member.value != Value::text(""));
        Ok(member.map(|member| member.args().vcpus(0)).transpose()?)
    }

    pub(super) fn map(&self, name: &'static str) -> Result<BTreeMap<String, String>, Failure> {
        Ok(self.args_of(name).map(|member| member.args().map(0)).transpose()?.unwrap_or_default())
    }

    /// A value that checks itself; none if it is missing or empty.
    pub(super) fn parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure>
    where
        T::Err: ToString,
    {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error: T::Err| Failure::value(name, &error.to_string()))
    }

    /// An object of a class, which must be there.
    pub(super) fn object(
        &self,
        world: &World,
        name: &'static str,
        class: &super::table::Class,
    ) -> Result<Uuid, Failure> {
        let text = self.needed(name)?;
        find(world, class, &text)
    }
}

/// An object of a class, by its reference.
pub(super) fn find(
    world: &World,
    class: &super::table::Class,
    reference: &str,
) -> Result<Uuid, Failure> {
    let found = Uuid::try_parse(reference).ok().filter(|uuid| class.exists(world, *uuid));
    found.ok_or_else(|| Failure::new("HANDLE_INVALID", [class.name, reference]))
}
