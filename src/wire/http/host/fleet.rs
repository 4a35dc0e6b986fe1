//! What the pages about a fleet share: how old an answer is, and its hosts and domains in each
//! format.

use crate::core::error::Error;
use crate::core::fleet::{DomainSummary, FleetView, HostName, Member, Presence};
use crate::core::model::Uuid;
use crate::core::view::View;
use crate::shape::{self, Sink, SxpSink};
use crate::wire::http::errors::{not_found, operation_failed, truly_refused};
use crate::wire::http::format::Format;
use crate::wire::http::html::parts::{link_below, moment};
use crate::wire::http::html::units::{bytes, duration};
use crate::wire::http::json::fleet::{FleetDomain, FleetHost};
use crate::wire::http::json::problem::Problem;
use crate::wire::http::json::problem_kind::ProblemKind;
use crate::wire::http::json::task::moment as rfc3339;
use crate::wire::http::path::encode_segment;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::Content;
use axum::response::Response;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;
use xend_templates::Cell;

/// The page with the hosts.
pub(super) const HOSTS_PATH: &str = "/xend/host";

/// The page with the domains of all hosts.
pub(super) const DOMAINS_PATH: &str = "/xend/domain?host=all";

/// What a page says of what a host has not told.
pub(super) const UNKNOWN: &str = "unknown";

/// The operation that errors name.
const OP: &str = "host";

/// The fleet, with the domains that the caller sees.
pub(super) async fn read(view: &View, request: &RequestInfo) -> Result<Arc<FleetView>, Response> {
    match view.fleet().await {
        Ok(Some(fleet)) => Ok(fleet),
        Ok(None) => Err(not_found(request, "This host is in no fleet")),
        Err(error) => Err(unknown(request, &error)),
    }
}

/// The answer while nothing is known of the fleet, or to a caller who may not know it.
pub(crate) fn unknown(request: &RequestInfo, error: &Error) -> Response {
    if request.format == Format::Sxp || matches!(error, Error::NotPermitted { .. }) {
        return operation_failed(request, OP, error);
    }
    let problem = Problem::new(ProblemKind::FLEET_UNKNOWN, error.to_string());
    truly_refused(request, &problem, "This host's own domains are on the page of domains.")
}

/// How old what is known is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Age {
    /// `None` if nobody knows.
    pub(super) seconds: Option<u64>,
    /// Whether it is too old to rely on.
    pub(super) is_stale: bool,
}

impl Age {
    /// The age of all that is shown.
    pub(super) fn of_fleet(fleet: &FleetView, now: Instant) -> Self {
        let age = now.saturating_duration_since(fleet.heard);
        Self { seconds: Some(age.as_secs()), is_stale: fleet.is_stale(now) }
    }

    /// The age of what is known of a host. A silent one has told nothing since.
    fn of_host(fleet: &FleetView, member: &Member, now: Instant) -> Self {
        let of_fleet = Self::of_fleet(fleet, now);
        match member.presence {
            Presence::Alive => of_fleet,
            Presence::Silent { .. } => {
                Self { seconds: fleet.age_of(member, now).map(|age| age.as_secs()), is_stale: true }
            }
        }
    }

    /// `3 s`, `2 min, stale`
    pub(super) fn words(self) -> String {
        let age = self.seconds.map_or_else(|| UNKNOWN.to_owned(), duration);
        if self.is_stale { format!("{age}, stale") } else { age }
    }

    /// What a page says of figures that are too old to rely on.
    pub(super) fn warning(self) -> Option<String> {
        let age = self.seconds.filter(|_| self.is_stale)?;
        let age = duration(age);
        Some(format!("etcd was last heard of {age} ago: much can have changed since."))
    }
}

fn seconds(since: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(since).as_secs()
}

/// A host of the fleet at a moment.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) fleet: &'a FleetView,
    pub(super) name: &'a HostName,
    pub(super) member: &'a Member,
    pub(super) age: Age,
    now: Instant,
}

impl<'a> Host<'a> {
    /// The hosts in the order of their names.
    pub(super) fn all(fleet: &'a FleetView, now: Instant) -> impl Iterator<Item = Self> {
        let host = move |(name, member)| Self {
            fleet,
            name,
            member,
            age: Age::of_host(fleet, member, now),
            now,
        };
        fleet.members.iter().map(host)
    }

    /// The host with this name.
    pub(super) fn named(fleet: &'a FleetView, name: &str, now: Instant) -> Option<Self> {
        let (name, member) = fleet.members.get_key_value(&name.parse().ok()?)?;
        Some(Self { fleet, name, member, age: Age::of_host(fleet, member, now), now })
    }

    /// Whether it is the host that answers.
    pub(super) fn is_own(&self) -> bool {
        *self.name == self.fleet.own
    }

    pub(super) const fn state(&self) -> &'static str {
        match self.member.presence {
            Presence::Alive => "alive",
            Presence::Silent { .. } => "silent",
        }
    }

    /// For how long it has been silent, as far as known.
    pub(super) fn silent_seconds(&self) -> Option<u64> {
        match self.member.presence {
            Presence::Silent { since } => since.map(|since| seconds(since, self.now)),
            Presence::Alive => None,
        }
    }

    /// Its domains, in the order of their UUIDs.
    pub(super) fn domains(&self) -> impl Iterator<Item = Domain<'a>> + use<'a> {
        let host = *self;
        let domain =
            move |(uuid, summary): (Uuid, &'a Arc<DomainSummary>)| Domain { host, uuid, summary };
        self.fleet.domains_of(self.name).map(domain)
    }

    pub(super) fn json(&self) -> FleetHost {
        let member = self.member;
        let has_run = member.has_run();
        FleetHost {
            name: self.name.to_string(),
            uuid: member.uuid.to_string(),
            is_own: self.is_own(),
            state: self.state(),
            silent_seconds: self.silent_seconds(),
            version: has_run.then(|| member.version.clone()),
            hypervisor: has_run.then(|| member.hypervisor.clone()),
            cpus: has_run.then_some(member.cpus),
            memory_mib: has_run.then_some(member.memory_mib),
            relocation: member.relocation.clone(),
            fingerprint: member.fingerprint.map(|fingerprint| fingerprint.to_string()),
            storages: member.storages.clone(),
            domain_count: self.domains().count(),
        }
    }

    /// Writes the fields of `(host (name xen1) ...)`.
    pub(super) fn write_fields(&self, sink: &mut SxpSink) {
        let member = self.member;
        sink.text_field("name", self.name.as_str().as_bytes());
        sink.uuid_field("uuid", &member.uuid);
        sink.text_field("state", self.state().as_bytes());
        if let Some(seconds) = self.silent_seconds() {
            sink.uint_field("silent_for", seconds);
        }
        if member.has_run() {
            sink.text_field("version", member.version.as_bytes());
            sink.text_field("hypervisor", member.hypervisor.as_bytes());
            sink.uint_field("cpus", member.cpus);
            sink.uint_field("memory", member.memory_mib);
        }
        if let Some(relocation) = &member.relocation {
            sink.text_field("relocation", relocation.as_bytes());
        }
        if let Some(fingerprint) = &member.fingerprint {
            sink.text_field("fingerprint", fingerprint.to_string().as_bytes());
        }
        sink.begin_field("storages");
        sink.begin_list();
        for storage in &member.storages {
            sink.text(storage.as_bytes());
        }
        sink.end_list();
        sink.end_field();
        sink.uint_field("domains", u64::try_from(self.domains().count()).unwrap_or(u64::MAX));
        sink.flag_field("own", self.is_own());
        write_age(sink, self.age);
    }
}

/// The page of a host.
pub(crate) fn host_path(name: &str) -> String {
    format!("{HOSTS_PATH}/{}", encode_segment(name))
}

/// The memory of hosts in words.
pub(super) fn memory(mib: u64) -> String {
    bytes(mib.saturating_mul(1 << 20))
}

/// A domain of a host.
#[derive(Clone, Copy)]
pub(super) struct Domain<'a> {
    pub(super) host: Host<'a>,
    pub(super) uuid: Uuid,
    pub(super) summary: &'a DomainSummary,
}

impl Domain<'_> {
    pub(super) fn name(&self) -> &str {
        self.summary.name.as_str()
    }

    pub(super) fn json(&self) -> FleetDomain {
        let Self { host, uuid, summary } = self;
        FleetDomain {
            name: summary.name.to_string(),
            uuid: uuid.to_string(),
            host: host.name.to_string(),
            domid: summary.domid.map(|domid| domid.0),
            state: shape::state_name(summary.state),
            memory_mib: summary.memory_mib,
            vcpus: summary.vcpus,
            started_at: summary.started.map(rfc3339),
            age_seconds: host.age.seconds,
            is_stale: host.age.is_stale,
        }
    }

    /// Writes `(domain (name web1) ...)`.
    pub(super) fn write(&self, sink: &mut SxpSink) {
        let Self { host, uuid, summary } = self;
        sink.begin_record("domain");
        sink.text_field("name", summary.name.as_str().as_bytes());
        sink.uuid_field("uuid", uuid);
        if let Some(domid) = summary.domid {
            sink.uint_field("domid", domid.0);
        }
        sink.text_field("state", shape::state_name(summary.state).as_bytes());
        sink.uint_field("memory", summary.memory_mib);
        sink.uint_field("vcpus", summary.vcpus);
        let since_1970 = |started: SystemTime| started.duration_since(SystemTime::UNIX_EPOCH).ok();
        if let Some(since) = summary.started.and_then(since_1970) {
            sink.float_field("start_time", since.as_secs_f64());
        }
        write_age(sink, host.age);
        sink.end_record();
    }

    /// Its name, as a link to its page if its host can be asked for it.
    pub(super) fn name_cell(&self) -> Cell {
        let Self { host, uuid, summary } = self;
        let Member { relocation, fingerprint, .. } = host.member;
        let base = if host.is_own() {
            "/xend".to_owned()
        } else if relocation.is_some() && fingerprint.is_some() {
            host_path(host.name.as_str())
        } else {
            return Cell::Text(summary.name.to_string());
        };
        Cell::Link(link_below(&base, &summary.name, *uuid))
    }

    /// ID, state, memory, VCPUs and start in a table.
    pub(super) fn cells(&self) -> [Cell; 5] {
        let Self { summary, .. } = self;
        let domid = summary.domid.map(|domid| domid.0.to_string());
        [
            Cell::Text(domid.unwrap_or_else(|| "–".to_owned())),
            Cell::State(shape::state_name(summary.state).to_owned()),
            Cell::Text(format!("{} MiB", summary.memory_mib)),
            Cell::Text(summary.vcpus.to_string()),
            match summary.started {
                Some(started) => Cell::Moment(moment(started)),
                None => Cell::Text("–".to_owned()),
            },
        ]
    }
}

fn write_age(sink: &mut SxpSink, age: Age) {
    if let Some(seconds) = age.seconds {
        sink.uint_field("age", seconds);
    }
    sink.flag_field("stale", age.is_stale);
}

/// An S-expression.
pub(super) fn sxp(write: impl FnOnce(&mut SxpSink)) -> Content {
    let mut sink = SxpSink::default();
    write(&mut sink);
    Content::Sxp(sink.into_bytes().into())
}
