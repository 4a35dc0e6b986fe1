//! `devices`

use super::{Operation, Success};
use crate::core::op::Query;
use serde::Deserialize;

pub(super) static DEVICES: Operation = Operation {
    name: "devices",
    success: Success::Answer,
    op: |domain, params| {
        let Devices { class } = params.request()?;
        Ok(Query::Devices(domain, class).into())
    },
};

#[derive(Debug, Deserialize)]
struct Devices {
    #[serde(rename = "type")]
    class: String,
}
