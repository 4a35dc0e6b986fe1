//! The forms on a domain's page, made from its operations.

use crate::core::model::SedfParams;
use crate::core::rights::Access;
use crate::core::snapshot::DomainView;
use crate::wire::http::operation::{DomainStage, Operation, Param, ParamKind};
use crate::wire::http::operations::by_page::DOMAIN_OPERATIONS;
use crate::wire::http::operations::guest::MAX_TIMEOUT;
use xend_templates::{Field, FieldKind, OperationForm};

/// The forms on a domain's page.
pub(super) struct DomainForms {
    pub(super) of_host: Vec<OperationForm>,
    /// Of the agent in the guest.
    pub(super) of_agent: Vec<OperationForm>,
}

/// A form for every operation that the domain can do in its stage and that the caller may do,
/// filled in with its current values.
pub(super) fn for_domain(
    access: &Access,
    view: &DomainView,
    sedf: Option<&SedfParams>,
) -> DomainForms {
    let stage = DomainStage::of(view);
    let forms = |of_agent: bool| {
        let operations = DOMAIN_OPERATIONS.iter().filter(|operation| {
            operation.is_done_by_agent() == of_agent
                && operation.stages.contains(&stage)
                && operation.is_offered_on(access, view)
        });
        operations.map(|operation| form(operation, view, sedf)).collect()
    };
    DomainForms { of_host: forms(false), of_agent: forms(true) }
}

pub(super) fn form(
    operation: &Operation,
    view: &DomainView,
    sedf: Option<&SedfParams>,
) -> OperationForm {
    let field = |param: &Param| Field {
        name: param.name.to_owned(),
        about: param.about.to_owned(),
        unit: param.kind.unit(),
        kind: match param.kind {
            ParamKind::Number(_) | ParamKind::Quantity(_) => {
                bounds(operation.name, param.name, view)
            }
            ParamKind::Flag => FieldKind::Flag,
            ParamKind::Word(words) => {
                FieldKind::Words(words.iter().map(|&word| word.to_owned()).collect())
            }
            ParamKind::Text(_) | ParamKind::Path => FieldKind::Text,
            ParamKind::Password => FieldKind::Password,
            ParamKind::Lines(_) | ParamKind::Json(_) | ParamKind::Config(_) => {
                FieldKind::Lines(param.example.to_owned())
            }
        },
        required: param.default.is_none(),
        value: current(operation.name, param.name, view, sedf).unwrap_or_else(|| default(param)),
    };
    OperationForm {
        op: operation.name.to_owned(),
        label: operation.label.to_owned(),
        about: operation.about.to_owned(),
        danger: operation.data_loss.is_some(),
        fields: operation.params.iter().map(field).collect(),
    }
}

/// The bounds within which a number makes sense for the domain. The engine has the last word.
fn bounds(operation: &str, param: &str, view: &DomainView) -> FieldKind {
    let config = &view.config;
    let (min, max) = match (operation, param) {
        ("mem_target_set", _) => (1, Some(config.maxmem)),
        ("maxmem_set", _) => (config.memory, None),
        ("set_vcpus", _) => (1, Some(u64::from(config.vcpus))),
        (_, "timeout") => (1, Some(MAX_TIMEOUT)),
        ("pincpu" | "send_trigger", "vcpu") => (0, Some(u64::from(config.vcpus.saturating_sub(1)))),
        ("domain_sched_credit_set" | "domain_sched_credit2_set", "cap") => {
            (0, Some(u64::from(config.vcpus) * 100))
        }
        ("domain_sched_credit_set" | "domain_sched_credit2_set", "weight") | (_, "port") => {
            (1, Some(65_535))
        }
        _ => (0, None),
    };
    FieldKind::Number { min, max }
}

/// The default of a parameter, if it is a value and not a description.
fn default(param: &Param) -> String {
    match (param.default, param.kind) {
        (Some(value), ParamKind::Flag) => value.to_owned(),
        (Some(value), ParamKind::Number(_) | ParamKind::Quantity(_))
            if value.bytes().all(|b| b.is_ascii_digit()) =>
        {
            value.to_owned()
        }
        _ => String::new(),
    }
}

/// The domain's current value of a parameter. `None` if it has none.
fn current(
    operation: &str,
    param: &str,
    view: &DomainView,
    sedf: Option<&SedfParams>,
) -> Option<String> {
    let config = &view.config;
    let value = match (operation, param) {
        ("mem_target_set", _) => config.memory.to_string(),
        ("maxmem_set", _) => config.maxmem.to_string(),
        ("set_vcpus", _) if view.facts.is_none() => config.vcpus.to_string(),
        ("set_vcpus", _) => config.vcpu_avail.count_ones().to_string(),
        ("rename", _) => view.name().to_string(),
        ("pincpu", "vcpu") => "all".to_owned(),
        ("domain_sched_credit_set" | "domain_sched_credit2_set", "weight") => {
            config.cpu_weight.to_string()
        }
        ("domain_sched_credit_set" | "domain_sched_credit2_set", "cap") => {
            config.cpu_cap.to_string()
        }
        ("cpu_sedf_set", name) => {
            let params = sedf?;
            match name {
                "period" => params.period.as_nanos().to_string(),
                "slice" => params.slice.as_nanos().to_string(),
                "latency" => params.latency.as_nanos().to_string(),
                "extratime" => u8::from(params.extratime).to_string(),
                _ => params.weight.to_string(),
            }
        }
        _ => return None,
    };
    Some(value)
}
