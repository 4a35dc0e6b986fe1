//! `rename`

use super::{Operation, Success};
use crate::core::model::DomName;
use crate::core::op::{Change, DomainOp};
use serde::Deserialize;

pub(super) static RENAME: Operation = Operation {
    name: "rename",
    success: Success::Accepted,
    op: |domain, params| {
        let Rename { name } = params.request()?;
        Ok(Change::Domain(domain, DomainOp::Rename(DomName::new(&name)?)).into())
    },
};

#[derive(Debug, Deserialize)]
struct Rename {
    name: String,
}
