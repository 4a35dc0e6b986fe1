//! What keeps a domain from an operation now: pages do not offer it, and the list leaves it out.

use super::list_values::shown_state;
use crate::core::lifecycle::{State, Transition};
use crate::core::model::{BlockKind, Device, ShutdownReason};
use crate::core::snapshot::DomainView;

/// Why the operation `op` makes no sense for the domain now, in words; `None` if it does. Whether
/// the stage of the domain is one of the operation's is another question.
pub(super) fn obstacle(op: &str, view: &DomainView) -> Option<String> {
    if is_question(op) {
        return None;
    }
    if let Some(progress) = view.progress {
        let can_go_on = op == "cancel" && can_be_cancelled(progress.what);
        // Everything else waits until it is over, and the domain may be gone then.
        return (!can_go_on).then(|| format!("it is busy: {}", shown_state(view)));
    }
    if view.is_privileged() && is_of_guests(op) {
        return Some("it is the host itself".to_owned());
    }
    if !fits_state(op, view) {
        return Some(state_in_words(view));
    }
    match op {
        "suspend" if !view.managed() => Some("it is not managed, it can be saved".to_owned()),
        "device_destroy" if !view.config.devices.iter().any(can_be_detached) => {
            Some("it has no device".to_owned())
        }
        "device_configure" if !view.config.devices.iter().any(can_be_configured) => {
            Some("it has no CD-ROM drive and no PCI device".to_owned())
        }
        _ => None,
    }
}

/// Whether the engine does `op` in the domain's present state. Pages offer less: a paused guest
/// takes no notice when it is asked to shut down, for example.
pub(super) fn state_permits(op: &str, view: &DomainView) -> bool {
    let state = view.state();
    let leads_on = |transition| state.after(transition).is_some();
    match op {
        "start" => leads_on(Transition::Start),
        "resume" => leads_on(Transition::Resume),
        "delete" => leads_on(Transition::Delete),
        "pause" => leads_on(Transition::Pause),
        "unpause" => leads_on(Transition::Unpause),
        "shutdown" | "sysrq" | "send_trigger" => leads_on(Transition::RequestShutdown),
        "destroy" | "reset" => leads_on(Transition::Destroy),
        "save" | "migrate" => state == State::Running,
        "suspend" => state == State::Running && view.managed(),
        "cancel" => view.progress.is_some_and(|progress| can_be_cancelled(progress.what)),
        _ => true,
    }
}

/// Whether a long operation can be given up. A domain that is being built has nothing to return to.
pub(super) fn can_be_cancelled(what: &str) -> bool {
    !matches!(what, "Restoring" | "Dumping")
}

/// Whether the device can be detached by itself. Every guest has its console.
pub(super) fn can_be_detached(device: &Device) -> bool {
    !matches!(device, Device::Console(_))
}

fn can_be_configured(device: &Device) -> bool {
    matches!(device, Device::Pci(_))
        || device.as_block().is_some_and(|block| block.kind == BlockKind::Cdrom)
}

/// Whether it only asks, which every domain answers.
fn is_question(op: &str) -> bool {
    matches!(op, "devices" | "vcpuinfo") || op.ends_with("_get")
}

/// What xend takes for Domain-0, too, and nobody wants of the host.
fn is_of_guests(op: &str) -> bool {
    matches!(op, "rename" | "device_create" | "device_configure" | "device_destroy")
}

fn fits_state(op: &str, view: &DomainView) -> bool {
    let state = view.state();
    let has_stopped = matches!(state, State::Stopped(_));
    match op {
        "cancel" => false,
        "start" | "delete" => state == State::Halted,
        "resume" => state == State::Suspended,
        "unpause" => state == State::Paused,
        "pause" | "shutdown" | "suspend" | "save" | "migrate" | "sysrq" | "send_trigger"
        | "agent_version" | "agent_features" | "set_password" | "inject_file" | "reset_network" => {
            state == State::Running
        }
        "destroy" => state.after(Transition::Destroy).is_some(),
        "reset" | "dump" => has_stopped || matches!(state, State::Paused | State::Running),
        // They are done together with the guest.
        "mem_target_set" | "set_vcpus" | "device_create" | "wait_for_devices" if has_stopped => {
            false
        }
        _ => !matches!(state, State::Building | State::Dying | State::Gone),
    }
}

/// The domain's state, as a reason.
pub(super) fn state_in_words(view: &DomainView) -> String {
    match view.state() {
        State::Stopped(ShutdownReason::Crash) => "it has crashed".to_owned(),
        state => format!("it is {}", state.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, RunFlags, Uuid};
    use crate::core::snapshot::fixtures;
    use crate::core::transfer::Progress;
    use crate::shape::read_device;
    use crate::sxp::{Limits, read_one};

    fn config(devices: &[&str]) -> DomainConfig {
        let mut config = DomainConfig::new(DomName::new("web1").unwrap(), 64);
        for text in devices {
            let tree = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap();
            config.devices.push(read_device(&tree).unwrap().unwrap());
        }
        config
    }

    fn with_flags(flags: RunFlags) -> DomainView {
        let mut facts = fixtures::facts(1, std::time::Duration::ZERO);
        facts.flags = flags;
        let mut view = DomainView::defined(Uuid::from_u128(1), config(&["(vif (bridge xenbr0))"]));
        view.facts = Some(facts);
        view
    }

    fn check(view: &DomainView, cases: &[(&str, Option<&str>)]) {
        for (op, reason) in cases {
            assert_eq!(obstacle(op, view).as_deref(), *reason, "{op}");
        }
    }

    #[test]
    fn a_domain_is_offered_what_its_state_allows() {
        let halted = DomainView::defined(Uuid::from_u128(1), config(&[]));
        check(
            &halted,
            &[
                ("start", None),
                ("mem_target_set", None),
                ("device_create", None),
                ("unpause", Some("it is halted")),
                ("device_destroy", Some("it has no device")),
            ],
        );
        check(
            &with_flags(RunFlags::default()),
            &[
                ("pause", None),
                ("suspend", None),
                ("device_destroy", None),
                ("unpause", Some("it is running")),
                ("cancel", Some("it is running")),
                ("device_configure", Some("it has no CD-ROM drive and no PCI device")),
            ],
        );
        let paused = with_flags(RunFlags { paused: true, ..RunFlags::default() });
        check(&paused, &[("unpause", None), ("dump", None), ("shutdown", Some("it is paused"))]);
        let shutdown = Some(ShutdownReason::Crash);
        let crashed = with_flags(RunFlags { shutdown, ..RunFlags::default() });
        let has_crashed = Some("it has crashed");
        check(
            &crashed,
            &[
                ("destroy", None),
                ("reset", None),
                ("dump", None),
                ("shutdown", has_crashed),
                ("pause", has_crashed),
                ("mem_target_set", has_crashed),
                ("device_create", has_crashed),
            ],
        );
        let mut unmanaged = with_flags(RunFlags::default());
        unmanaged.definition = None;
        assert!(obstacle("suspend", &unmanaged).unwrap().starts_with("it is not managed"));
    }

    #[test]
    fn a_busy_domain_can_be_asked_and_what_is_done_to_it_cancelled() {
        let mut view = with_flags(RunFlags::default());
        view.progress = Some(Progress { what: "Saving", done: 0, total: 1 });
        let busy = Some("it is busy: saving");
        check(
            &view,
            &[
                ("cancel", None),
                ("devices", None),
                ("domain_sched_credit_get", None),
                ("reset", busy),
                ("pause", busy),
                ("pincpu", busy),
                ("dump", busy),
                ("mem_target_set", busy),
                ("device_create", busy),
            ],
        );
        view.progress = Some(Progress { what: "Dumping", done: 0, total: 1 });
        assert!(obstacle("cancel", &view).is_some());
    }

    #[test]
    fn a_drive_can_be_changed_and_the_host_keeps_its_devices_and_its_name() {
        let drive = config(&["(vbd (uname '') (dev hdc:cdrom) (mode r))"]);
        let mut view = DomainView::defined(Uuid::from_u128(1), drive);
        check(&view, &[("device_configure", None), ("device_destroy", None)]);
        let mut facts = fixtures::facts(0, std::time::Duration::ZERO);
        facts.flags = RunFlags::default();
        view.facts = Some(facts);
        let host = Some("it is the host itself");
        for op in ["rename", "device_create", "device_configure", "device_destroy"] {
            check(&view, &[(op, host)]);
        }
        check(&view, &[("maxmem_set", None), ("pincpu", None)]);
    }
}
