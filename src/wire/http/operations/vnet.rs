//! Operations on virtual networks: `create`, `delete`.

use crate::core::model::Invalid;
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::shape;
use crate::wire::http::config_text;
use crate::wire::http::operation::{Operation, ParamKind, Success, required};

pub(super) static CREATE: Operation = Operation {
    name: "create",
    label: "Create network",
    about: "Registers a virtual network.",
    kinds: &[OpKind::CreateVnet],
    stages: &[],
    data_loss: None,
    params: &[required(
        "config",
        ParamKind::Config("a virtual network"),
        "The network's configuration",
        "(vnet (id 1) (vnetif v1))",
    )],
    success: Success::Empty,
    build: |request| {
        let text = request.params.single("config")?;
        let vnet = config_text::parse(&text, shape::read_vnet)
            .map_err(|error| Invalid::new(format!("Invalid value for config: {error}")))?;
        Ok(Change::CreateVnet(vnet).into())
    },
};

pub(super) static DELETE: Operation = Operation {
    name: "delete",
    label: "Delete",
    about: "Removes a virtual network.",
    kinds: &[OpKind::DeleteVnet],
    stages: &[],
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |request| Ok(Change::DeleteVnet(request.name.to_owned()).into()),
};
