//! The forms of a domain's page, made from the table of its operations.

use crate::core::lifecycle::State;
use crate::core::op::Outcome;
use crate::core::snapshot::DomainView;
use crate::wire::http::operations::{self, Needed, Operation, Param, Stage, Takes};
use xend_templates::{Field, FieldKind, OperationForm};

/// A form for every operation that is for the domain where it is, filled in with what is set.
pub(super) fn of(view: &DomainView, sedf: Option<&Outcome>) -> Vec<OperationForm> {
    let stage = stage(view);
    let operations =
        operations::ON_DOMAIN.iter().filter(|operation| operation.when.contains(&stage));
    operations.map(|operation| form(operation, view, sedf)).collect()
}

fn stage(view: &DomainView) -> Stage {
    match view.state() {
        _ if view.is_privileged() => Stage::Dom0,
        State::Suspended => Stage::Suspended,
        _ if view.facts.is_none() => Stage::Halted,
        _ => Stage::Guest,
    }
}

pub(super) fn form(
    operation: &Operation,
    view: &DomainView,
    sedf: Option<&Outcome>,
) -> OperationForm {
    let field = |param: &Param| Field {
        name: param.name.to_owned(),
        about: param.about.to_owned(),
        unit: param.takes.unit(),
        kind: match param.takes {
            Takes::Number(_) => bounds(operation.name, param.name, view),
            Takes::Flag => FieldKind::Flag,
            Takes::Word(words) => {
                FieldKind::Words(words.iter().map(|&word| word.to_owned()).collect())
            }
            Takes::Text(_) | Takes::Path => FieldKind::Text,
            Takes::Config(_) => FieldKind::Config(param.example.to_owned()),
        },
        required: param.needed == Needed::Yes,
        value: value(operation.name, param, view, sedf).unwrap_or_else(|| default(param)),
    };
    OperationForm {
        op: operation.name.to_owned(),
        label: operation.label.to_owned(),
        about: operation.about.to_owned(),
        danger: operation.loses.is_some(),
        fields: operation.params.iter().map(field).collect(),
    }
}

/// Between what a number must be to make sense for the domain. The engine has the last word.
fn bounds(operation: &str, param: &str, view: &DomainView) -> FieldKind {
    let config = &view.config;
    let (min, max) = match (operation, param) {
        ("mem_target_set", _) => (1, Some(config.maxmem)),
        ("maxmem_set", _) => (config.memory, None),
        ("set_vcpus", _) => (1, Some(u64::from(config.vcpus))),
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

/// What an operation would take if nobody said, where that is a value.
fn default(param: &Param) -> String {
    match (param.needed, param.takes) {
        (Needed::Else(value), Takes::Flag) => value.to_owned(),
        (Needed::Else(value), Takes::Number(_)) if value.bytes().all(|b| b.is_ascii_digit()) => {
            value.to_owned()
        }
        _ => String::new(),
    }
}

/// What is set now.
fn value(
    operation: &str,
    param: &Param,
    view: &DomainView,
    sedf: Option<&Outcome>,
) -> Option<String> {
    let config = &view.config;
    let value = match (operation, param.name) {
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
            let Some(Outcome::Sedf(_, params)) = sedf else { return None };
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
