//! Virtual networks: `create` on all of them, `delete` on one

use super::table::{Operation, Success, Takes, needed};
use crate::core::model::Invalid;
use crate::core::op::Change;
use crate::shape;
use crate::sxp::{Limits, read_first};

pub(super) static CREATE: Operation = Operation {
    name: "create",
    label: "Create vnet",
    about: "Makes a virtual network known.",
    when: &[],
    loses: None,
    params: &[needed(
        "config",
        Takes::Config("a virtual network"),
        "The network",
        "(vnet (id 1) (vnetif v1))",
    )],
    success: Success::Empty,
    op: |asked| {
        let text = asked.params.one("config")?;
        let invalid = |reason: String| Invalid::new(format!("Invalid value for config: {reason}"));
        let sxp =
            read_first(text, &Limits::default()).map_err(|error| invalid(format!("{error:#}")))?;
        let vnet = shape::read_vnet(&sxp).map_err(|error| {
            let (line, column) = error.position(text);
            invalid(format!("line {line}, column {column}: {error}"))
        })?;
        Ok(Change::CreateVnet(vnet).into())
    },
};

pub(super) static DELETE: Operation = Operation {
    name: "delete",
    label: "Delete",
    about: "Forgets a virtual network.",
    when: &[],
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |asked| Ok(Change::DeleteVnet(asked.name.to_owned()).into()),
};
