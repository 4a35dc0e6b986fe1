//! The form of an operation, made from its parameters.

use super::plain_form;
use super::situation::{Situation, possible_words};
use crate::core::snapshot::DomainView;
use crate::wire::http::operation::{Operation, Param, ParamKind};
use crate::wire::http::operations::guest::MAX_TIMEOUT;
use xend_templates::{Field, FieldKind, OperationForm, SYSRQ_KEYS};

/// The form of an operation on a domain, filled in with the domain's current values.
pub(super) fn form(
    operation: &Operation,
    view: &DomainView,
    situation: &Situation<'_>,
) -> OperationForm {
    OperationForm {
        op: operation.name.to_owned(),
        label: operation.label.to_owned(),
        about: operation.about.to_owned(),
        danger: operation.data_loss.is_some(),
        fields: operation
            .params
            .iter()
            .map(|param| field(operation, param, view, situation))
            .collect(),
    }
}

fn field(
    operation: &Operation,
    param: &Param,
    view: &DomainView,
    situation: &Situation<'_>,
) -> Field {
    let op = operation.name;
    let kind = match param.kind {
        ParamKind::Number(_) if op == "sysrq" => FieldKind::Choices(sysrq_keys()),
        ParamKind::Number(_) | ParamKind::Quantity(_) => {
            bounds(op, param.name, view, situation.host_memory)
        }
        ParamKind::Word(words) => {
            let words = possible_words(op, words, view);
            FieldKind::Words(words.into_iter().map(str::to_owned).collect())
        }
        ParamKind::Text(_) if (op, param.name) == ("migrate", "destination") => {
            match situation.destinations {
                Some(hosts @ [_, ..]) => FieldKind::Suggested(hosts.to_vec()),
                _ => FieldKind::Text,
            }
        }
        _ => plain_form::kind_of(param),
    };
    let single = match &kind {
        FieldKind::Words(words) => match words.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
        FieldKind::Number { min, max } if *max == Some(*min) => Some(min.to_string()),
        _ => None,
    };
    let initial = || current(op, param.name, view, situation).unwrap_or_else(|| default(param));
    Field {
        name: param.name.to_owned(),
        label: plain_form::label(param.name),
        about: param.about.to_owned(),
        unit: plain_form::unit(param),
        kind: if single.is_some() { FieldKind::Fixed } else { kind },
        required: param.default.is_none(),
        value: single.unwrap_or_else(initial),
    }
}

/// The keys by their character codes.
fn sysrq_keys() -> Vec<(String, String)> {
    let choice =
        |(key, about): &(char, &str)| (u32::from(*key).to_string(), format!("{key}: {about}"));
    SYSRQ_KEYS.iter().map(choice).collect()
}

/// The bounds within which a number makes sense for the domain. The engine has the last word.
fn bounds(operation: &str, param: &str, view: &DomainView, host_memory: u64) -> FieldKind {
    let config = &view.config;
    let (min, max) = match (operation, param) {
        // Domain-0 may have more than there is.
        ("mem_target_set", _) if view.is_privileged() => (1, Some(config.maxmem.min(host_memory))),
        ("mem_target_set", _) => (1, Some(config.maxmem)),
        ("maxmem_set", _) => (config.memory, None),
        ("set_vcpus", _) if view.facts.is_none() => (1, None),
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
    situation: &Situation<'_>,
) -> Option<String> {
    let config = &view.config;
    let value = match (operation, param) {
        ("mem_target_set", _) => config.memory.to_string(),
        // Domain-0 has no limit until it is given one.
        ("maxmem_set", _) if view.is_privileged() && config.maxmem > situation.host_memory => {
            return None;
        }
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
            let params = situation.sedf?;
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
