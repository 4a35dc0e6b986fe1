//! `info`, `uptime`.

use crate::core::error::Error;
use crate::core::model::{Device, GuestKind};
use crate::core::rights::{Need, Right};
use crate::core::snapshot::DomainView;
use crate::shape::state_word;
use crate::wire::argo::answer::{Answer, Output, Refusal};
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::instance::Instance;
use crate::wire::argo::signature::Signature;
use std::time::{Duration, SystemTime};

const SEE: Need = Need::Domain(Right::See);

pub(in crate::wire::argo) static INFO: Command = Command {
    signature: Signature::new("info", "NAME", SEE, "Show an instance's state and configuration."),
    run: Run::Instance(|call, instance| Box::pin(async move { Ok(info(call, instance)) })),
};

pub(in crate::wire::argo) static UPTIME: Command = Command {
    signature: Signature::new("uptime", "NAME", SEE, "Show since when an instance runs."),
    run: Run::Instance(|call, instance| Box::pin(async move { uptime(call, instance) })),
};

/// Lines of `key: value`. `disk` and `vif` come once a device.
fn info(call: &Call<'_>, instance: &Instance) -> Output {
    let config = instance.config();
    let mut lines = vec![format!("name: {}", config.name)];
    if let Instance::Domain(domain) = instance {
        lines.push(format!("uuid: {}", domain.uuid));
        lines.push(format!("state: {}", state_word(domain)));
    } else {
        lines.push("state: halted".to_owned());
    }
    let facts = instance.domain().ok().and_then(|domain| domain.facts.as_ref());
    if let Some(facts) = facts {
        lines.push(format!("id: {}", facts.domid));
        lines.push(format!("cpu-time: {:.1} s", facts.cpu_time.as_secs_f64()));
        if let Some(up) = up_for(facts.start_time, call.argo.engine().now()) {
            lines.push(format!("uptime: {}", in_words(up)));
        }
    }
    let memory = facts.map_or(config.memory, |facts| facts.memory_kib / 1024);
    lines.push(format!("memory: {memory} MiB"));
    lines.push(format!("vcpus: {}", facts.map_or(config.vcpus, |facts| facts.online_vcpus)));
    if let Some(kind) = config.image.as_ref().map(|image| image.kind) {
        lines.push(format!("type: {}", kind_word(kind)));
    }
    lines.extend(config.devices.iter().filter_map(device));
    lines.into_iter().collect()
}

fn kind_word(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Pv => "pv",
        GuestKind::Hvm => "hvm",
        GuestKind::Pvh => "pvh",
    }
}

/// `disk: xvda phy:/dev/vg0/lj w`, `vif: vif0 00:16:3e:01:02:03 xenbr0`
fn device(device: &Device) -> Option<String> {
    let words = match device {
        Device::Block(disk) => {
            format!("disk: {} {} {}", disk.dev, disk.uname, disk.mode.name())
        }
        Device::Vif(vif) => {
            let text = |word: Option<String>| word.unwrap_or_default();
            let number = vif.id.unwrap_or_default();
            let mac = text(vif.mac.map(|mac| mac.to_string()));
            format!("vif: vif{number} {mac} {}", text(vif.bridge.as_ref().map(ToString::to_string)))
        }
        _ => return None,
    };
    Some(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Seconds, then words.
fn uptime(call: &Call<'_>, instance: &Instance) -> Answer {
    let not_started = |domain: &DomainView| Error::NotStarted(domain.name().to_string());
    let facts = instance
        .domain()
        .and_then(|domain| domain.facts.as_ref().ok_or_else(|| not_started(domain)));
    let facts = facts.map_err(|error| call.failure(&error))?;
    match up_for(facts.start_time, call.argo.engine().now()) {
        Some(up) => Ok([format!("{} {}", up.as_secs(), in_words(up))].into_iter().collect()),
        None => Err(Refusal::Failed(format!("The uptime of {} is not known", instance.name()))),
    }
}

fn up_for(start: Option<SystemTime>, now: SystemTime) -> Option<Duration> {
    // The clock may have been set back since.
    start.map(|start| now.duration_since(start).unwrap_or_default())
}

/// `1 day 2 hours 0 minutes`; seconds within the first minute.
fn in_words(time: Duration) -> String {
    let unit =
        |count: u64, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    let seconds = time.as_secs();
    let days = unit(seconds / 86_400, "day");
    let hours = unit(seconds / 3600 % 24, "hour");
    let minutes = unit(seconds / 60 % 60, "minute");
    match seconds {
        0..60 => unit(seconds, "second"),
        60..3600 => minutes,
        3600..86_400 => format!("{hours} {minutes}"),
        _ => format!("{days} {hours} {minutes}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_put_in_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (3_599, "59 minutes"),
            (3_600, "1 hour 0 minutes"),
            (86_400 + 7_200 + 60, "1 day 2 hours 1 minute"),
            (10 * 86_400, "10 days 0 hours 0 minutes"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_no_error() {
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(up_for(None, now), None);
        assert_eq!(up_for(Some(now + Duration::from_secs(5)), now), Some(Duration::ZERO));
    }
}
