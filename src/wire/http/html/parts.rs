//! Parts that several pages have.

use super::units;
use crate::core::caller::Principal;
use crate::core::model::{BlockClass, DomName, Uuid, VcpuFacts, VirtualDevice};
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use crate::shape::{self, TreeSink};
use crate::sxp::Sxp;
use crate::wire::http::obstacles::can_be_cancelled;
use crate::wire::http::operation::Operation;
use crate::wire::http::path::{self, DOMAIN_PAGES, LOGOUT_PATH, decode, encode_segment};
use crate::wire::http::request::RequestInfo;
use crate::wire::http::selected;
use std::borrow::Cow;
use std::time::SystemTime;
use xend_templates::{Action, Fact, Frame, Link, Menu, Moment, OperationProgress, PageUser, Vcpu};

/// Entries of a menu, with what they need.
type Entries<const N: usize> = [(&'static str, &'static str, OpKind); N];

/// The pages that are a click away everywhere.
const MENU: Entries<8> = [
    ("Domains", "/xend/domain", OpKind::ListDomains),
    ("New domain", "/xend/new", OpKind::CreateDomain),
    ("Saved", "/xend/saved", OpKind::ReadSavedConfig),
    ("Tasks", "/xend/task", OpKind::ListDomains),
    ("Events", "/xend/journal", OpKind::ReadEvents),
    ("Hosts", "/xend/host", OpKind::ShowFleet),
    ("Host", "/xend/node", OpKind::ShowHost),
    ("Reference", "/xend/help", OpKind::ListDomains),
];

/// The pages about the host.
const HOST_MENU: Entries<9> = [
    ("Overview", "/xend/node", OpKind::ShowHost),
    ("Storage", "/xend/node/storage", OpKind::ShowStorage),
    ("Networks", "/xend/node/network", OpKind::ShowInterfaces),
    ("Virtual networks", "/xend/vnet", OpKind::ShowVnets),
    ("CPU pools", "/xend/node/pool", OpKind::ShowPools),
    ("PCI devices", "/xend/node/pci", OpKind::ShowHardware),
    ("Users", "/xend/node/user", OpKind::ShowAccounts),
    ("Log", "/xend/node/log", OpKind::ReadLog),
    ("Xen messages", "/xend/node/dmesg", OpKind::ReadDmesg),
];

/// The menu, the user and the breadcrumbs of a page. For somebody who has not logged in, there are
/// no other pages.
pub(crate) fn frame(request: &RequestInfo) -> Frame {
    if request.caller.principal == Principal::Nobody {
        return Frame { is_simulated: request.host.is_simulated, ..Frame::default() };
    }
    let links = |entries: &[(&str, &str, OpKind)]| {
        let entries = entries
            .iter()
            .filter(|(_, path, kind)| request.may_open(*kind) && request.is_in_menu(path));
        entries.map(|(name, href, _)| Link::new(*name, *href)).collect()
    };
    let user = request.caller.user().map(|user| PageUser {
        name: user.name().to_owned(),
        logout: request.session.is_some().then(|| LOGOUT_PATH.to_owned()),
    });
    Frame {
        crumbs: crumbs(request),
        menu: Menu { main: links(&MENU), host: links(&HOST_MENU) },
        user,
        is_simulated: request.host.is_simulated,
    }
}

/// The breadcrumbs of a page: `/ xend/ domain/ pv1/`.
fn crumbs(request: &RequestInfo) -> Vec<Link> {
    let mut crumbs = vec![Link::new("/", "/")];
    let mut href = String::from("/");
    let path = match &request.base {
        Some(base) => Cow::from(request.path.replacen("/xend", base, 1)),
        None => Cow::from(&request.path),
    };
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        href.push_str(segment);
        href.push('/');
        crumbs.push(Link::new(decode(segment), href.clone()));
    }
    crumbs
}

/// What a domain is called in a path: the name, or the UUID if the name has a special meaning
/// there, as that of another toolstack's domain can.
fn name_in_paths(name: &DomName, uuid: Uuid) -> Cow<'_, str> {
    match name.as_str() {
        "." | ".." => uuid.to_string().into(),
        name => name.into(),
    }
}

/// The last segment of a domain's path.
pub(crate) fn domain_segment(view: &DomainView) -> String {
    encode_segment(&name_in_paths(view.name(), view.uuid))
}

pub(crate) fn domain_path(view: &DomainView) -> String {
    path::domain_path(&name_in_paths(view.name(), view.uuid))
}

/// A link to the page of a domain of which no more is known, on the host whose pages are below
/// `base`.
pub(crate) fn link_below(base: &str, name: &DomName, uuid: Uuid) -> Link {
    Link::new(name.to_string(), path::domain_path_below(base, &name_in_paths(name, uuid)))
}

/// A link to a domain's page.
pub(crate) fn domain_link(view: &DomainView) -> Link {
    Link::new(view.name().to_string(), domain_path(view))
}

/// A link to the page that the request is for. Questions, the targets of forms, and what may have
/// no answer lead to the page that they belong to.
pub(super) fn page_link(request: &RequestInfo) -> Link {
    let path = request.path.as_str();
    if path == selected::PATH {
        return Link::new("the domains", "/xend/domain");
    }
    let is_below = |last: &str| last == "upload" || DOMAIN_PAGES.contains(&last);
    let parent = path.rsplit_once('/').filter(|(_, last)| is_below(last));
    // A domain can have such a name.
    let path = parent.filter(|_| !request.is_of_xend()).map_or(path, |(parent, _)| parent);
    Link::new(request.name.as_deref().unwrap_or(path), path)
}

/// A button for an operation. One that can lose data leads to the question `confirm`, a path to
/// whose query the operation is added.
pub(crate) fn action(operation: &Operation, confirm: &str) -> Action {
    let label = operation.label;
    let op = operation.name.to_owned();
    if operation.data_loss.is_none() {
        return Action { op, label: label.to_owned(), confirm: None };
    }
    let sign = if confirm.contains('?') { '&' } else { '?' };
    let confirm = Some(format!("{confirm}{sign}op={}", operation.name));
    Action { op, label: format!("{label}…"), confirm }
}

/// xend's six state letters; empty for a domain that is not on the host.
pub(super) fn state_letters(view: &DomainView) -> String {
    let letters = view.facts.as_ref().map(|facts| shape::state_letters(&facts.flags).to_vec());
    String::from_utf8(letters.unwrap_or_default()).unwrap_or_default()
}

/// A device within its class, for people: `xvda (51712)`, or a number.
pub(super) fn device_name(class: &str, number: u32) -> String {
    if BlockClass::includes(class) {
        return VirtualDevice(number).described();
    }
    number.to_string()
}

/// The long operation in progress on a domain.
pub(crate) fn progress(view: &DomainView) -> Option<OperationProgress> {
    let progress = view.progress?;
    Some(OperationProgress {
        operation: progress.what.to_owned(),
        percent: progress.percent(),
        amount: units::part_of(bytes(progress.done), bytes(progress.total)),
        can_be_cancelled: can_be_cancelled(progress.what),
    })
}

pub(super) fn vcpu(vcpu: &VcpuFacts) -> Vcpu {
    Vcpu {
        number: vcpu.number,
        online: vcpu.online,
        blocked: vcpu.blocked,
        running: vcpu.running,
        cpu_time_s: vcpu.cpu_time.as_secs_f64(),
        cpu: vcpu.cpu,
        cpumap: vcpu.affinity.iter().collect(),
    }
}

/// A point in time, in UTC.
pub(crate) fn moment(time: SystemTime) -> Moment {
    let at = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Moment {
        iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        text: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

/// A record as an S-expression.
pub(super) fn tree(write: impl FnOnce(&mut TreeSink)) -> Sxp {
    let mut sink = TreeSink::default();
    write(&mut sink);
    sink.into_values().pop().unwrap_or_else(|| Sxp::list([]))
}

/// The facts of `(key value) (key value) ...`.
pub(super) fn facts(items: &[Sxp]) -> Vec<Fact> {
    items.iter().filter_map(fact).collect()
}

fn fact(item: &Sxp) -> Option<Fact> {
    let values: Vec<String> = item.tail().iter().map(value).collect();
    Some(Fact::new(item.head()?.to_owned(), values.join(" ")))
}

/// A word as it is, a list as an S-expression.
fn value(item: &Sxp) -> String {
    item.as_bytes()
        .map_or_else(|| item.to_string(), |text| String::from_utf8_lossy(text).into_owned())
}

/// A number of bytes for people, who do not read 16 digits.
#[allow(clippy::cast_precision_loss, reason = "it is printed with three digits")]
fn bytes(count: u64) -> f64 {
    count as f64
}

pub(super) fn mib(kib: u64) -> f64 {
    u32::try_from(kib / 1024).map_or(f64::MAX, f64::from)
}
