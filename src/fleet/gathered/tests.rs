use super::*;
use crate::core::lifecycle::State;
use crate::fleet::kv::Revision;
use std::time::{Duration, UNIX_EPOCH};

fn keys() -> Keys {
    Keys::new("lab".parse().unwrap())
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

fn entry(key: String, value: &[u8]) -> Entry {
    Entry { key, value: value.to_vec(), modified: Revision(1) }
}

fn record(name: &str) -> Entry {
    entry(keys().host(&host(name)), &HostRecord::joining(Uuid::nil(), UNIX_EPOCH).encode())
}

fn alive(name: &str) -> Entry {
    entry(keys().alive(&host(name)), b"{}")
}

fn domain(on: &str, uuid: u128, name: &str) -> Entry {
    let value = format!(r#"{{"name":"{name}","state":"running","memory_mib":64,"vcpus":1}}"#);
    entry(keys().view(&host(on), Uuid::from_u128(uuid)), value.as_bytes())
}

fn deleted(entry: &Entry) -> KvEvent {
    KvEvent::Deleted { key: entry.key.clone(), revision: Revision(2) }
}

/// `host/name` of each domain.
fn shown(gathered: &Gathered) -> Vec<String> {
    let view = gathered.view(&host("a"), Instant::now());
    view.domains.iter().map(|((host, _), domain)| format!("{host}/{}", domain.name)).collect()
}

fn presence(gathered: &Gathered, name: &str) -> Presence {
    gathered.members[&host(name)].presence
}

#[test]
fn a_host_is_silent_since_its_lease_went() {
    let now = Instant::now();
    let later = now + Duration::from_secs(9);
    let mut gathered = Gathered::new(keys());
    let records = [record("a"), record("b"), record("c")];
    gathered = gathered.listed_anew([&records, &[alive("a"), alive("c")], &[]], now);
    assert_eq!(presence(&gathered, "a"), Presence::Alive);
    assert_eq!(presence(&gathered, "b"), Presence::Silent { since: None });
    gathered.apply(deleted(&alive("a")), later);
    assert_eq!(presence(&gathered, "a"), Presence::Silent { since: Some(later) });
    // A change of its record is no sign of life.
    gathered.apply(KvEvent::Put(record("a")), now);
    assert_eq!(presence(&gathered, "a"), Presence::Silent { since: Some(later) });
    // Between two listings, one host went silent, one came back, and one was silent before.
    let later_still = later + Duration::from_secs(9);
    let hosts = [record("a"), record("b"), record("c")];
    gathered = gathered.listed_anew([&hosts, &[alive("b")], &[]], later_still);
    assert_eq!(presence(&gathered, "a"), Presence::Silent { since: Some(later) });
    assert_eq!(presence(&gathered, "b"), Presence::Alive);
    assert_eq!(presence(&gathered, "c"), Presence::Silent { since: Some(later_still) });
    gathered.apply(KvEvent::Put(alive("a")), now);
    assert_eq!(presence(&gathered, "a"), Presence::Alive);
    // A host that joins is silent until it has run as a member.
    gathered.apply(KvEvent::Put(record("d")), now);
    assert_eq!(presence(&gathered, "d"), Presence::Silent { since: None });
}

/// It is published up to ten times a second, of any number of hosts.
#[test]
fn what_is_shown_is_not_copied_and_does_not_change() {
    let mut gathered = Gathered::new(keys());
    gathered.put_all(&[record("a"), record("b"), alive("a"), alive("b"), domain("a", 1, "web")]);
    let view = || gathered.view(&host("a"), Instant::now());
    let [first, second] = [view(), view()];
    assert!(first.members.ptr_eq(&second.members) && first.domains.ptr_eq(&second.domains));
    gathered.apply(deleted(&alive("b")), Instant::now());
    gathered.apply(deleted(&record("a")), Instant::now());
    assert_ne!(presence(&gathered, "b"), Presence::Alive);
    assert_eq!((gathered.members.size(), first.members.size(), first.domains.size()), (1, 2, 1));
    assert_eq!(first.members[&host("b")].presence, Presence::Alive);
}

#[test]
fn domains_are_those_of_members() {
    let now = Instant::now();
    let mut gathered = Gathered::new(keys());
    gathered.put_all(&[domain("b", 1, "early"), domain("bb", 1, "stray")]);
    assert_eq!(shown(&gathered), [""; 0]);
    gathered.apply(KvEvent::Put(record("b")), now);
    gathered.apply(KvEvent::Put(domain("b", 2, "late")), now);
    assert_eq!(shown(&gathered), ["b/early", "b/late"]);
    gathered.apply(KvEvent::Put(domain("b", 1, "renamed")), now);
    gathered.apply(deleted(&domain("b", 2, "late")), now);
    assert_eq!(shown(&gathered), ["b/renamed"]);
    // A host that leaves takes its domains along, in whatever order its keys go.
    gathered.apply(deleted(&record("b")), now);
    assert_eq!(shown(&gathered), [""; 0]);
    gathered.apply(KvEvent::Put(record("b")), now);
    assert_eq!(shown(&gathered), ["b/renamed"]);
    gathered.apply(deleted(&record("b")), now);
    gathered.apply(deleted(&domain("b", 1, "renamed")), now);
    gathered.apply(KvEvent::Put(record("b")), now);
    assert_eq!(shown(&gathered), [""; 0]);
}

#[test]
fn what_makes_no_sense_is_left_out() {
    let now = Instant::now();
    let mut gathered = Gathered::new(keys());
    let strange = [
        entry("/xend/1/lab/view/a/b".to_owned(), b""),
        entry("/xend/1/lab/host/..".to_owned(), b""),
        entry(keys().host(&host("z")), b"{"),
        entry(keys().host(&host("z")), br#"{"format":2}"#),
    ];
    gathered.put_all(&strange);
    gathered.put_all(&[record("a"), domain("a", 1, "web")]);
    assert_eq!(gathered.members.size(), 1);
    let view = gathered.view(&host("a"), now);
    let (_, summary) = view.domains_of(&host("a")).next().unwrap();
    assert_eq!((summary.name.as_str(), summary.state), ("web", State::Running));
    // A later version writes what this one cannot read: what it was before is not shown any more.
    let later = entry(domain("a", 1, "").key, br#"{"name":"web","state":"hibernated"}"#);
    gathered.apply(KvEvent::Put(later), now);
    assert_eq!(shown(&gathered), [""; 0]);
    let many: Vec<Entry> = (0..200).map(|n| entry(format!("/xend/1/lab/{n}"), b"")).collect();
    gathered.put_all(&many);
    assert_eq!(gathered.strange.0.len(), MAX_STRANGE);
}

#[test]
fn a_fleet_has_only_so_many_hosts() {
    let now = Instant::now();
    let mut gathered = Gathered::new(keys());
    for number in 0..MAX_MEMBERS + 3 {
        gathered.put_all(&[alive(&format!("h{number}")), record(&format!("h{number}"))]);
    }
    assert_eq!((gathered.members.size(), gathered.alive.len()), (MAX_MEMBERS, MAX_MEMBERS));
    // One of those that are shown changes, and one makes room for another one.
    gathered.apply(deleted(&alive("h0")), now);
    gathered.apply(KvEvent::Put(alive("h0")), now);
    assert_eq!(presence(&gathered, "h0"), Presence::Alive);
    gathered.apply(deleted(&record("h1")), now);
    gathered.apply(KvEvent::Put(record("new")), now);
    assert_eq!(presence(&gathered, "new"), Presence::Silent { since: None });
}
