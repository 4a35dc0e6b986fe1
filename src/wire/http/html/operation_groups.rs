//! The operations on a domain's page: by groups, and only what the domain can do now.

use super::forms::form;
use super::situation::{Situation, is_possible};
use crate::core::snapshot::DomainView;
use crate::wire::http::operation::{DomainStage, Operation};
use crate::wire::http::operations::by_page::domain_operations;
use xend_templates::OperationGroup;

/// The groups in the order of the page, each with its operations.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Power", &["start", "pause", "unpause", "shutdown", "reset", "destroy", "delete"]),
    ("Save and move", &["suspend", "resume", "save", "migrate", "cancel", "rename"]),
    ("Resources", &["mem_target_set", "maxmem_set", "set_vcpus", "pincpu"]),
    (
        "Devices",
        &["device_create", "device_configure", "device_destroy", "devices", "wait_for_devices"],
    ),
    (
        "Scheduler",
        &[
            "domain_sched_credit_set",
            "domain_sched_credit_get",
            "domain_sched_credit2_set",
            "domain_sched_credit2_get",
            "cpu_sedf_set",
            "cpu_sedf_get",
        ],
    ),
    ("Debug", &["sysrq", "send_trigger", "dump", "vcpuinfo"]),
    ("Guest", &["agent_version", "agent_features", "set_password", "inject_file", "reset_network"]),
];

/// A form for every operation that the domain can do now and that the caller may do, filled in with
/// its current values. A group without any is left out.
pub(super) fn groups(view: &DomainView, situation: &Situation<'_>) -> Vec<OperationGroup> {
    let stage = DomainStage::of(view);
    let is_offered = |operation: &&&Operation| {
        operation.stages.contains(&stage)
            && is_possible(operation.name, view, situation.scheduler)
            && operation.is_offered_on(situation.access, view)
    };
    let all = domain_operations(situation.destinations.is_some());
    let group = |(title, names): &(&str, &[&str])| {
        let operations =
            names.iter().filter_map(|name| all.iter().find(|operation| operation.name == *name));
        let operations = operations.filter(is_offered);
        OperationGroup {
            title: (*title).to_owned(),
            operations: operations.map(|operation| form(operation, view, situation)).collect(),
        }
    };
    GROUPS.iter().map(group).filter(|group| !group.operations.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, Scheduler, Uuid};
    use crate::core::rights::Access;
    use crate::core::snapshot::fixtures;
    use crate::shape::read_device;
    use crate::sxp::{Limits, read_one};
    use crate::wire::http::operations::by_page::DOMAIN_OPERATIONS;
    use xend_templates::FieldKind;

    #[test]
    fn each_operation_is_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let mut all: Vec<&str> = DOMAIN_OPERATIONS.iter().map(|operation| operation.name).collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
        let of_agent = DOMAIN_OPERATIONS.iter().filter(|operation| operation.is_done_by_agent());
        let of_agent: Vec<&str> = of_agent.map(|operation| operation.name).collect();
        let (title, names) = GROUPS[GROUPS.len() - 1];
        assert_eq!((title, names), ("Guest", &of_agent[..]));
    }

    fn offered(view: &DomainView, scheduler: Option<Scheduler>) -> Vec<OperationGroup> {
        let access = Access::operator();
        groups(view, &Situation { scheduler, ..situation(&access) })
    }

    fn situation(access: &Access) -> Situation<'_> {
        let host_memory = 16_384;
        Situation { access, sedf: None, scheduler: None, host_memory, destinations: None }
    }

    #[test]
    fn a_fleet_offers_its_hosts_as_destinations() {
        let config = DomainConfig::new(DomName::new("web1").unwrap(), 64);
        let view = fixtures::running(1, config);
        let access = Access::operator();
        let field = |destinations: Option<&[String]>| {
            let groups = groups(&view, &Situation { destinations, ..situation(&access) });
            let all = groups.into_iter().flat_map(|group| group.operations);
            let migrate = all.into_iter().find(|operation| operation.op == "migrate").unwrap();
            (migrate.fields[0].kind.clone(), migrate.about.contains("fleet"))
        };
        let hosts = ["xen2".to_owned(), "xen3".to_owned()];
        assert_eq!(field(Some(&hosts)), (FieldKind::Suggested(hosts.to_vec()), true));
        assert_eq!(field(Some(&[])), (FieldKind::Text, true));
        assert_eq!(field(None), (FieldKind::Text, false));
    }

    #[test]
    fn a_halted_domain_is_not_offered_what_it_cannot_do() {
        let config = DomainConfig::new(DomName::new("web1").unwrap(), 64);
        let view = DomainView::defined(Uuid::from_u128(1), config);
        let groups = offered(&view, Some(Scheduler::Credit));
        let all: Vec<&str> = groups
            .iter()
            .flat_map(|group| group.operations.iter().map(|operation| operation.op.as_str()))
            .collect();
        for op in ["start", "delete", "mem_target_set", "domain_sched_credit_set", "device_create"]
        {
            assert!(all.contains(&op), "{op}: {all:?}");
        }
        for op in ["pause", "unpause", "save", "cancel", "cpu_sedf_set", "domain_sched_credit2_set"]
        {
            assert!(!all.contains(&op), "{op}: {all:?}");
        }
        assert!(groups.iter().all(|group| group.title != "Guest"));
        assert!(offered(&view, None).iter().all(|group| group.title != "Scheduler"));
    }

    #[test]
    fn the_memory_of_the_host_has_no_limit_to_show() {
        let mut config = DomainConfig::new(DomName::new("Domain-0").unwrap(), 64);
        config.maxmem = 16_777_215;
        let view = fixtures::running(0, config);
        let groups = offered(&view, None);
        let all = groups.iter().flat_map(|group| &group.operations);
        let values: Vec<&str> = all
            .filter(|operation| operation.op == "maxmem_set")
            .flat_map(|operation| &operation.fields)
            .map(|field| field.value.as_str())
            .collect();
        assert_eq!(values, [""]);
        let mut ops = groups.iter().flat_map(|group| &group.operations).map(|it| it.op.as_str());
        assert!(ops.all(|op| !op.starts_with("device_") && op != "rename"), "{groups:?}");
    }

    #[test]
    fn classes_of_devices_are_those_that_the_domain_has() {
        let config = DomainConfig::new(DomName::new("web1").unwrap(), 64);
        let mut view = DomainView::defined(Uuid::from_u128(1), config.clone());
        let has_devices = |view: &DomainView| {
            let groups = offered(view, None);
            let all = groups.into_iter().flat_map(|group| group.operations);
            let detach =
                |operation: &xend_templates::OperationForm| operation.op == "device_destroy";
            all.into_iter().find(detach).map(|operation| operation.fields[0].clone())
        };
        assert_eq!(has_devices(&view), None);
        let tree = read_one(b"(vif (bridge xenbr0))", &Limits::DEFAULT).unwrap();
        let mut config = config;
        config.devices.push(read_device(&tree).unwrap().unwrap());
        view = DomainView::defined(Uuid::from_u128(1), config);
        let class = has_devices(&view).unwrap();
        assert_eq!((class.kind, class.value.as_str()), (FieldKind::Fixed, "vif"));
    }

    #[test]
    fn no_field_has_a_single_choice() {
        let mut config = DomainConfig::new(DomName::new("web1").unwrap(), 64);
        for text in ["(vif (bridge xenbr0))", "(vbd (uname phy:/dev/vg0/a) (dev xvda) (mode w))"] {
            let tree = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap();
            config.devices.push(read_device(&tree).unwrap().unwrap());
        }
        let view = DomainView::defined(Uuid::from_u128(1), config);
        let access = Access::operator();
        let situation = situation(&access);
        for operation in DOMAIN_OPERATIONS {
            for field in form(operation, &view, &situation).fields {
                let single = match &field.kind {
                    FieldKind::Words(words) => words.len() < 2,
                    FieldKind::Number { min, max } => Some(*min) == *max,
                    FieldKind::Choices(choices) => choices.len() < 2,
                    FieldKind::Fixed => field.value.is_empty(),
                    _ => false,
                };
                assert!(!single, "{} {field:?}", operation.name);
                let is_shown = field.kind != FieldKind::Fixed;
                assert!(!is_shown || !field.label.contains('_'), "{} {field:?}", operation.name);
            }
        }
    }
}
