use super::*;
use crate::core::model::DomName;
use crate::core::placement::{HostRoom, Standing, Wanted};

const WEB: Uuid = Uuid::from_u128(1);
const DB: Uuid = Uuid::from_u128(2);

pub(super) fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

pub(super) fn boot(name: &str, epoch: u64) -> Boot {
    Boot { host: host(name), epoch }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn guarded(by: Boot) -> Guarded {
    Guarded { by, name: Some(DomName::adopted("web")) }
}

/// A fleet of so many hosts, all of which are alive in their first epoch, as the second one sees
/// it. The second and the third are takers, and the first has a guarded domain.
fn lab(hosts: usize) -> Seen {
    let mut seen = Seen::nothing(boot("xen2", 1));
    for number in 1..=hosts {
        seen.hosts.insert(host(&format!("xen{number}")), 1);
    }
    seen.alive = seen.hosts.keys().cloned().collect();
    seen.takers = [host("xen2"), host("xen3")].into();
    seen.guarded.insert(WEB, guarded(boot("xen1", 1)));
    seen
}

fn without(mut seen: Seen, silent: &[&str]) -> Seen {
    seen.alive.retain(|alive| !silent.contains(&alive.as_str()));
    seen
}

/// Looks each second, and tells what comes of the last look.
fn look_until(taker: &mut Taker, times: std::ops::RangeInclusive<u64>, seen: &Seen) -> Verdict {
    times.map(|now| taker.look(seconds(now), seen)).last().unwrap()
}

fn declare(name: &str, epoch: u64) -> Act {
    Act::Declare(boot(name, epoch))
}

#[test]
fn a_silent_host_is_fenced_after_15_s_in_which_it_was_looked_at() {
    let mut taker = Taker::default();
    let seen = without(lab(3), &["xen1"]);
    assert_eq!(look_until(&mut taker, 100..=114, &seen), Verdict::default());
    assert_eq!(look_until(&mut taker, 115..=115, &seen).acts, [declare("xen1", 1)]);
    // One that was heard is silent anew.
    let mut taker = Taker::default();
    look_until(&mut taker, 100..=110, &seen);
    look_until(&mut taker, 111..=111, &lab(3));
    assert_eq!(look_until(&mut taker, 112..=126, &seen).acts, []);
    assert_eq!(look_until(&mut taker, 127..=127, &seen).acts, [declare("xen1", 1)]);
    // What was while nobody looked is not known.
    let mut taker = Taker::default();
    look_until(&mut taker, 100..=110, &seen);
    assert_eq!(look_until(&mut taker, 116..=130, &seen).acts, []);
    assert_eq!(look_until(&mut taker, 131..=131, &seen).acts, [declare("xen1", 1)]);
}

#[test]
fn each_boot_with_guarded_domains_is_fenced_and_no_other() {
    let fenced = |seen: &Seen| look_until(&mut Taker::default(), 0..=20, seen).acts;
    let mut seen = without(lab(3), &["xen1"]);
    seen.hosts.insert(host("xen1"), 3);
    assert_eq!(fenced(&seen), [declare("xen1", 1)]);
    seen.guarded.insert(DB, guarded(boot("xen1", 2)));
    assert_eq!(fenced(&seen), [declare("xen1", 1), declare("xen1", 2)]);
    seen.aways.insert(boot("xen1", 1));
    assert_eq!(fenced(&seen), [declare("xen1", 2)]);
    seen.fences.insert(boot("xen1", 2), Fence::Strange);
    assert_eq!(fenced(&seen), []);
    seen.aways.clear();
    assert_eq!(fenced(&seen), [declare("xen1", 1)]);
    seen.fences.insert(seen.own.clone(), Fence::Ended);
    assert_eq!(fenced(&seen), [], "a fenced host fences nobody");
    let none = Seen { guarded: BTreeMap::new(), ..without(lab(3), &["xen1"]) };
    assert_eq!(fenced(&none), []);
    // Of a host that is away, all of it is.
    let mut away = without(lab(3), &["xen1"]);
    away.aways.insert(boot("xen1", 1));
    assert_eq!(look_until(&mut Taker::default(), 0..=20, &away), Verdict::default());
    let stranger = Seen { hosts: lab(3).hosts, ..without(lab(3), &["xen1"]) };
    let stranger = Seen {
        hosts: stranger
            .hosts
            .clone()
            .into_iter()
            .filter(|(name, _)| *name != host("xen1"))
            .collect(),
        ..stranger
    };
    assert_eq!(fenced(&stranger), []);
}

#[test]
fn when_more_than_a_third_is_silent_nobody_is_fenced() {
    for (hosts, silent, may) in [
        (2, &["xen1"][..], true),
        (3, &["xen1"][..], true),
        (3, &["xen1", "xen3"][..], false),
        (5, &["xen1", "xen3"][..], false),
        (6, &["xen1", "xen3"][..], true),
        (6, &["xen1", "xen3", "xen4"][..], false),
    ] {
        let seen = without(lab(hosts), silent);
        let verdict = look_until(&mut Taker::default(), 0..=20, &seen);
        assert_eq!(!verdict.acts.is_empty(), may, "{hosts} {silent:?}");
        let suspects = silent.iter().map(|name| host(name)).collect();
        let too_many = (!may).then_some(TooMany { suspects, hosts });
        assert_eq!(verdict.too_many, too_many);
    }
    // Of one that is away, or has ended, it is known what has become of it.
    let mut seen = without(lab(4), &["xen1", "xen3", "xen4"]);
    seen.aways.insert(boot("xen3", 1));
    seen.fences.insert(boot("xen4", 1), Fence::Ended);
    assert_eq!(look_until(&mut Taker::default(), 0..=20, &seen).acts, [declare("xen1", 1)]);
    seen.fences.insert(boot("xen4", 1), Fence::Declared { op: WEB });
    assert!(look_until(&mut Taker::default(), 0..=20, &seen).too_many.is_some());
    // And without protected domains, nobody has to know.
    seen.guarded.clear();
    assert_eq!(look_until(&mut Taker::default(), 0..=20, &seen).too_many, None);
}

#[test]
fn a_wait_takes_40_s_from_when_its_fence_was_seen() {
    let mut taker = Taker::default();
    let mut seen = without(lab(3), &["xen1"]);
    let fence = boot("xen1", 1);
    seen.fences.insert(fence.clone(), Fence::Declared { op: WEB });
    assert_eq!(look_until(&mut taker, 1000..=1039, &seen).acts, []);
    // Another fence is another wait, and so is another taker.
    seen.fences.insert(fence.clone(), Fence::Declared { op: DB });
    assert_eq!(look_until(&mut taker, 1040..=1079, &seen).acts, []);
    let over = [Act::EndWait(fence.clone(), DB)];
    assert_eq!(look_until(&mut taker, 1080..=1080, &seen).acts, over);
    assert_eq!(look_until(&mut Taker::default(), 1080..=1119, &seen).acts, []);
    // It goes on while etcd does not answer, and ends once.
    assert_eq!(taker.look(seconds(2000), &seen).acts, over);
    seen.fences.insert(fence, Fence::Ended);
    assert_eq!(look_until(&mut taker, 2001..=2100, &seen).acts, []);
}

/// The domains that are due and pending.
fn due(seen: &Seen) -> (Vec<Uuid>, Vec<(Uuid, HostName)>) {
    let verdict = look_until(&mut Taker::default(), 0..=20, seen);
    (verdict.due, verdict.pending)
}

fn ended() -> Seen {
    let mut seen = without(lab(4), &["xen1"]);
    seen.fences.insert(boot("xen1", 1), Fence::Ended);
    seen
}

#[test]
fn guarded_domains_of_a_boot_that_has_ended_are_due() {
    let mut seen = ended();
    assert_eq!(due(&seen).0, [WEB]);
    for fence in [Fence::Declared { op: WEB }, Fence::Strange] {
        seen.fences.insert(boot("xen1", 1), fence);
        assert!(due(&seen).0.is_empty());
    }
    // Another boot has not ended.
    let mut seen = ended();
    seen.guarded.insert(WEB, guarded(boot("xen1", 2)));
    assert!(due(&seen).0.is_empty());
    // One taker does it, of those that can.
    let mut seen = ended();
    seen.own = boot("xen3", 1);
    assert!(due(&seen).0.is_empty());
    for change in [
        |seen: &mut Seen| {
            seen.alive.remove(&host("xen2"));
        },
        |seen: &mut Seen| {
            seen.takers.remove(&host("xen2"));
        },
        |seen: &mut Seen| {
            seen.fences.insert(boot("xen2", 1), Fence::Strange);
        },
    ] {
        let mut seen = seen.clone();
        change(&mut seen);
        assert_eq!(due(&seen).0, [WEB]);
    }
}

#[test]
fn important_domains_come_first_then_the_name_counts() {
    let mut seen = ended();
    let domains = [(1, "b", 0), (2, "a", 0), (3, "z", 9)];
    for (number, name, priority) in domains {
        let name = Some(DomName::adopted(name));
        seen.guarded.insert(Uuid::from_u128(number), Guarded { by: boot("xen1", 1), name });
        seen.policies.insert(Uuid::from_u128(number), Policy { tries: 3, priority });
    }
    assert_eq!(due(&seen).0, [3, 2, 1].map(Uuid::from_u128));
}

#[test]
fn a_host_is_waited_for_until_it_has_failed_or_is_gone() {
    let takeover = |to: Option<&str>, failed: &[&str]| Takeover {
        from: boot("xen1", 1),
        to: to.map(host),
        failed: failed.iter().map(|name| host(name)).collect(),
    };
    let with = |takeover| {
        let mut seen = ended();
        seen.takeovers.insert(WEB, takeover);
        seen
    };
    let pending = (vec![], vec![(WEB, host("xen3"))]);
    let is_due = (vec![WEB], vec![]);
    let stays = (vec![], vec![]);
    let seen = with(Some(takeover(Some("xen3"), &["xen4"])));
    assert_eq!(due(&seen), pending);
    assert_eq!(due(&without(seen.clone(), &["xen3"])), is_due);
    for barred in [
        |seen: &mut Seen| {
            seen.fences.insert(boot("xen3", 1), Fence::Declared { op: WEB });
        },
        |seen: &mut Seen| {
            seen.aways.insert(boot("xen3", 1));
        },
        |seen: &mut Seen| {
            seen.hosts.remove(&host("xen3"));
        },
    ] {
        let mut seen = seen.clone();
        barred(&mut seen);
        assert_eq!(due(&seen), is_due);
    }
    assert_eq!(due(&with(Some(takeover(Some("xen3"), &["xen3"])))), is_due);
    assert_eq!(due(&with(Some(takeover(None, &["xen3"])))), stays);
    assert_eq!(due(&with(None)), stays);
    // What is about an earlier boot is over.
    let older = Takeover { from: boot("xen1", 0), ..takeover(None, &[]) };
    assert_eq!(due(&with(Some(older))), is_due);
}

fn room(name: &str, free_mib: u64) -> HostRoom {
    HostRoom {
        name: host(name),
        standing: Standing::Ready,
        memory_mib: 1000,
        free_mib,
        given_mib: 1000 - free_mib,
        cpus: 8,
        vcpus: 0,
        storages: vec![],
        tags: BTreeSet::new(),
    }
}

fn wanted(memory_mib: u64) -> Wanted {
    Wanted { memory_mib, vcpus: 1, ..Wanted::default() }
}

fn candidate(number: u128, memory_mib: u64, failed: &[&str]) -> Candidate {
    Candidate {
        domain: Uuid::from_u128(number),
        wanted: Ok(wanted(memory_mib)),
        tries: 2,
        failed: failed.iter().map(|name| host(name)).collect(),
    }
}

fn rooms(hosts: &[(&str, u64)]) -> Room {
    Room {
        own: host("xen2"),
        hosts: hosts.iter().map(|(name, free)| room(name, *free)).collect(),
        barred: BTreeSet::new(),
        pending: vec![],
    }
}

fn to(name: &str) -> Assigned {
    Assigned::To(host(name))
}

fn assigned(candidates: &[Candidate], room: Room) -> Vec<Assigned> {
    let assigned = Taker::default().assign(seconds(0), candidates, room);
    assigned.into_iter().map(|(_, assigned)| assigned).collect()
}

#[test]
fn a_domain_gets_a_host_that_has_room_and_has_not_failed() {
    let both = [("xen2", 900), ("xen3", 500)];
    assert_eq!(assigned(&[candidate(1, 400, &[])], rooms(&both)), [to("xen2")]);
    assert_eq!(assigned(&[candidate(1, 400, &["xen2"])], rooms(&both)), [to("xen3")]);
    let barred = Room { barred: [host("xen2")].into(), ..rooms(&both) };
    assert_eq!(assigned(&[candidate(1, 400, &[])], barred), [to("xen3")]);
    // What others are about to get is not there any more.
    let three = [candidate(1, 400, &[]), candidate(2, 400, &[]), candidate(3, 400, &[])];
    assert_eq!(assigned(&three, rooms(&both)), [to("xen2"), to("xen2"), to("xen3")]);
    let pending = Room { pending: vec![(host("xen2"), wanted(600))], ..rooms(&both) };
    assert_eq!(assigned(&[candidate(1, 400, &[])], pending), [to("xen3")]);
    let tried = [candidate(1, 400, &["xen2", "xen3"])];
    assert_eq!(assigned(&tried, rooms(&both)), [Assigned::Nowhere(vec![])]);
    let strange = Candidate { wanted: Err("no text".to_owned()), ..candidate(1, 1, &[]) };
    let reasons = vec![(host("xen2"), "no text".to_owned())];
    assert_eq!(assigned(&[strange], rooms(&both)), [Assigned::Nowhere(reasons)]);
}

#[test]
fn a_host_starts_four_at_a_time() {
    let six: Vec<_> = (1..=6).map(|number| candidate(number, 10, &[])).collect();
    let one = rooms(&[("xen2", 900)]);
    let first = assigned(&six, one.clone());
    assert_eq!(first[..4], vec![to("xen2"); 4]);
    assert_eq!(first[4..], [Assigned::Later, Assigned::Later]);
    let pending = Room { pending: vec![(host("xen2"), wanted(10)); 3], ..one };
    assert_eq!(assigned(&six, pending)[..2], [to("xen2"), Assigned::Later]);
}

#[test]
fn somebody_looks_at_it_when_no_host_has_fitted_for_a_minute() {
    let mut taker = Taker::default();
    let large = [candidate(1, 1000, &[])];
    let small = rooms(&[("xen2", 900)]);
    let mut at = |now| taker.assign(seconds(now), &large, small.clone()).remove(0).1;
    assert_eq!((at(0), at(59)), (Assigned::Later, Assigned::Later));
    let reason = "has 900 MiB of 1000 MiB free".to_owned();
    assert_eq!(at(60), Assigned::Nowhere(vec![(host("xen2"), reason)]));
    assert_eq!(at(61), Assigned::Later, "when it is tried again, it has a minute again");
}
