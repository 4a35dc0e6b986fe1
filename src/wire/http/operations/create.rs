//! Operations on all domains: `create`, `new`, `list`.

use crate::core::model::{DomainConfig, Invalid};
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::shape;
use crate::wire::http::engine_request::EngineRequest;
use crate::wire::http::operation::{
    AnswerType, ConfigKind, Operation, OperationRequest, Param, ParamKind, Success, optional,
    required,
};

const CONFIG: Param = required(
    "config",
    ParamKind::Config(ConfigKind::Domain),
    "The domain's configuration",
    "(vm (name web1) (memory 128) (image (linux (kernel /boot/vmlinuz))))",
);

/// The host that gets the domain, on a host in a fleet.
const HOST: Param = optional(
    "host",
    ParamKind::Text("name of a host of the fleet, or auto"),
    "this host",
    "Host that gets the domain; auto is the one that suits it best. X-Xend-Host in the answer \
     names it",
    "auto",
);

pub(super) static CREATE: Operation = create(&[CONFIG]);

/// The same on a host in a fleet.
pub(super) static CREATE_IN_FLEET: Operation = create(&[CONFIG, HOST]);

pub(super) static NEW: Operation = new(&[CONFIG]);

/// The same on a host in a fleet.
pub(super) static NEW_IN_FLEET: Operation = new(&[CONFIG, HOST]);

const fn create(params: &'static [Param]) -> Operation {
    Operation {
        name: "create",
        label: "Create",
        about: "Builds a domain and leaves it paused. If a domain with this name is defined and not \
                on the host, it is built with this configuration.",
        kinds: &[OpKind::CreateDomain],
        stages: &[],
        data_loss: None,
        params,
        success: Success::Created,
        build: |request| Ok(Change::Create(Box::new(parse_config(request)?)).into()),
    }
}

const fn new(params: &'static [Param]) -> Operation {
    Operation {
        name: "new",
        label: "Define",
        about: "Stores a domain's definition, so that it can be started at any time. If the domain \
                is running, the new definition takes effect at its next start.",
        kinds: &[OpKind::DefineDomain],
        stages: &[],
        data_loss: None,
        params,
        success: Success::Empty,
        build: |request| Ok(Change::Define(Box::new(parse_config(request)?)).into()),
    }
}

pub(super) static LIST: Operation = Operation {
    name: "list",
    label: "List",
    about: "Lists the domains on the host in full.",
    kinds: &[OpKind::ListDomains],
    stages: &[],
    data_loss: None,
    params: &[],
    success: Success::Answer(AnswerType::Domains),
    build: |_| Ok(EngineRequest::ListDomains),
};

fn parse_config(request: &OperationRequest<'_>) -> Result<DomainConfig, Invalid> {
    request.config(shape::read_config, |error| {
        let prefix = if error.is_syntax {
            "Invalid configuration"
        } else {
            "Error creating domain: Invalid Configuration"
        };
        Invalid::new(format!("{prefix}: {error}"))
    })
}
