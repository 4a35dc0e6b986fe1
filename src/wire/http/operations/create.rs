//! `create`, `new`, `list`: what is done with all domains

use super::table::{Asked, Operation, Success, Takes, needed};
use crate::core::model::{DomainConfig, Invalid};
use crate::core::op::{Change, Query};
use crate::shape;
use crate::sxp::{Limits, pretty, read_first};

const EXAMPLE: &str = "(vm (name web1) (memory 128) (image (linux (kernel /boot/vmlinuz))))";

pub(super) static CREATE: Operation = Operation {
    name: "create",
    label: "Create",
    about: "Builds a domain and leaves it paused. A defined domain of this name, if it is not on the host, is built with \
            this configuration.",
    when: &[],
    loses: None,
    params: &[needed(
        "config",
        Takes::Config("a domain's configuration"),
        "What the domain is to be",
        EXAMPLE,
    )],
    success: Success::Created,
    op: |asked| Ok(Change::Create(Box::new(config(asked)?)).into()),
};

pub(super) static NEW: Operation = Operation {
    name: "new",
    label: "Define",
    about: "Defines a domain: it is stored, and stays when it is not on the host. The definition of a domain that runs \
            counts when it next starts.",
    when: &[],
    loses: None,
    params: &[needed(
        "config",
        Takes::Config("a domain's configuration"),
        "What the domain is to be",
        EXAMPLE,
    )],
    success: Success::Empty,
    op: |asked| Ok(Change::Define(Box::new(config(asked)?)).into()),
};

pub(super) static LIST: Operation = Operation {
    name: "list",
    label: "List",
    about: "Lists the domains that are on the host, in full.",
    when: &[],
    loses: None,
    params: &[],
    success: Success::Answer,
    op: |_| Ok(Query::Domains.into()),
};

fn config(asked: &Asked<'_>) -> Result<DomainConfig, Invalid> {
    read(asked.params.one("config")?).map_err(Invalid::new)
}

/// A configuration. As in xend, what follows it is not looked at.
fn read(text: &[u8]) -> Result<DomainConfig, String> {
    let sxp = read_first(text, &Limits::default())
        .map_err(|error| format!("Invalid configuration: {error:#}"))?;
    shape::read_config(&sxp).map_err(|error| {
        let (line, column) = error.position(text);
        format!(
            "Error creating domain: Invalid Configuration: line {line}, column {column}: {error}"
        )
    })
}

/// Where in a configuration something is wrong, and what.
pub(in crate::wire::http) fn fault(text: &[u8]) -> Option<((usize, usize), String)> {
    match read_first(text, &Limits::default()) {
        Err(error) => Some(((error.line(), error.column()), error.to_string())),
        Ok(sxp) => {
            let error = shape::read_config(&sxp).err()?;
            Some((error.position(text), error.to_string()))
        }
    }
}

/// What was understood, and never what was sent: that can hold passwords.
pub(in crate::wire::http) fn printed(config: &DomainConfig) -> String {
    pretty(&shape::config_tree(config), 100)
}
