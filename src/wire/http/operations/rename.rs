//! `rename`

use super::table::{EVERYWHERE, Operation, Success, Takes, needed};
use crate::core::model::DomName;
use crate::core::op::DomainOp;
use serde::Deserialize;

pub(super) static RENAME: Operation = Operation {
    name: "rename",
    label: "Rename",
    about: "Gives the domain another name.",
    when: &EVERYWHERE,
    loses: None,
    params: &[needed("name", Takes::Text("letters, digits and _ - . : +"), "The new name", "web2")],
    success: Success::Accepted,
    op: |asked| {
        let Rename { name } = asked.params.request()?;
        asked.domain(DomainOp::Rename(DomName::new(&name)?))
    },
};

#[derive(Debug, Deserialize)]
struct Rename {
    name: String,
}
