//! `rename`.

use crate::core::model::DomName;
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{ANY_STAGE, Operation, ParamKind, Success, required};
use serde::Deserialize;

pub(super) static RENAME: Operation = Operation {
    name: "rename",
    label: "Rename",
    about: "Renames the domain.",
    kinds: &[OpKind::Rename],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[required(
        "name",
        ParamKind::Text("letters, digits and _ - . : +"),
        "New name",
        "web2",
    )],
    success: Success::Accepted,
    build: |request| {
        let Rename { name } = request.params.parse()?;
        request.change(DomainOp::Rename(DomName::new(&name)?))
    },
};

#[derive(Debug, Deserialize)]
struct Rename {
    name: String,
}
