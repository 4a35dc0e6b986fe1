//! Operations on virtual networks: `create`, `delete`.

use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::shape;
use crate::wire::http::operation::{ConfigKind, Operation, ParamKind, Success, required};
use crate::wire::http::params::bad_value;

pub(super) static CREATE: Operation = Operation {
    name: "create",
    label: "Create network",
    about: "Registers a virtual network.",
    kinds: &[OpKind::CreateVnet],
    stages: &[],
    data_loss: None,
    params: &[required(
        "config",
        ParamKind::Config(ConfigKind::Vnet),
        "The network's configuration",
        "(vnet (id 1) (vnetif v1))",
    )],
    success: Success::Empty,
    build: |request| {
        let vnet = request.config(shape::read_vnet, |error| bad_value("config", error))?;
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
