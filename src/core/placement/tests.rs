use super::*;
use crate::core::fingerprint::Fingerprint;
use crate::core::fleet::DomainSummary;
use crate::core::lifecycle::State;
use crate::core::model::{DomId, DomName, Uuid};
use proptest::prelude::*;
use rpds::RedBlackTreeMapSync;
use std::sync::Arc;
use tokio::time::Instant;

fn room(name: &str, free_mib: u64) -> HostRoom {
    HostRoom {
        name: name.parse().unwrap(),
        standing: Standing::Ready,
        memory_mib: 8192,
        free_mib,
        given_mib: 8192 - free_mib,
        cpus: 8,
        vcpus: 0,
        storages: vec!["nfs".to_owned(), "san".to_owned()],
        tags: BTreeSet::new(),
    }
}

fn wanted(memory_mib: u64) -> Wanted {
    Wanted { memory_mib, vcpus: 1, ..Wanted::default() }
}

fn placed<'a>(wanted: &Wanted, hosts: &'a [HostRoom]) -> &'a str {
    place(wanted, hosts).unwrap().name.as_str()
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_least_full_host_is_taken_and_of_equal_ones_the_first_by_name() {
    let mut hosts = [room("b", 4096), room("c", 2048), room("a", 4096)];
    assert_eq!(placed(&wanted(1024), &hosts), "a");
    // Twelve VCPUs are less than half of 32, and twenty are more.
    hosts[2].vcpus = 12;
    assert_eq!(placed(&wanted(1024), &hosts), "a");
    hosts[2].vcpus = 20;
    assert_eq!(placed(&wanted(1024), &hosts), "b");
    // Definitions count for the choice, and do not take room.
    hosts[0].given_mib = 9000;
    hosts[2].vcpus = 0;
    hosts[2].given_mib = 10_000;
    assert_eq!(placed(&wanted(1024), &hosts), "c");
    assert_eq!(placed(&wanted(4096), &hosts), "b");
}

#[test]
fn each_host_says_why_a_domain_does_not_fit() {
    let standing = |name, standing| HostRoom { standing, ..room(name, 8192) };
    let tagged = HostRoom { tags: ["db".to_owned()].into(), ..room("tagged", 8192) };
    let bare = HostRoom { storages: texts(&["nfs"]), ..room("bare", 8192) };
    let hosts = [
        standing("silent", Standing::Silent),
        standing("new", Standing::New),
        standing("closed", Standing::Closed),
        standing("gone", Standing::Away),
        room("small", 100),
        tagged,
        bare,
        room("other", 8192),
    ];
    let wanted = Wanted {
        storages: texts(&["nfs", "san"]),
        apart: texts(&["web", "db"]),
        hosts: texts(&["bare", "closed", "gone", "new", "silent", "small", "tagged"]),
        ..wanted(101)
    };
    assert_eq!(
        place(&wanted, &hosts).unwrap_err().to_string(),
        "bare has no storage \"san\", closed has no encrypted relocation port, gone is away (xend \
         fleet away --end on it), new has not told what it has: its xend has not run in the fleet yet, other is none of the domain's fleet_hosts, \
         silent is silent, small has 100 MiB of 101 MiB free, tagged has a domain of fleet_apart \
         \"db\""
    );
    let free = Wanted { hosts: Vec::new(), ..wanted };
    assert_eq!(placed(&free, &hosts), "other");
}

#[test]
fn a_refusal_names_some_hosts_and_counts_the_others() {
    let hosts: Vec<_> = (0..1000).map(|n| room(&format!("h{n:03}"), 10)).collect();
    let refusal = place(&wanted(11), &hosts).unwrap_err();
    let text = refusal.to_string();
    assert!(text.starts_with("h000 has 10 MiB of 11 MiB free, h001 "), "{text}");
    assert!(text.ends_with("h019 has 10 MiB of 11 MiB free, and 980 more do not fit either"));
    assert_eq!(place(&wanted(1), &[]).unwrap_err().to_string(), "there is no other host");
}

#[test]
fn what_is_free_is_what_the_domains_on_a_host_leave() {
    let member = |presence, epoch, relocation: Option<&str>| Member {
        uuid: Uuid::nil(),
        relocation: relocation.map(str::to_owned),
        fingerprint: Some(Fingerprint::new([7; Fingerprint::LEN])),
        version: String::new(),
        hypervisor: String::new(),
        cpus: 4,
        memory_mib: 1000,
        storages: texts(&["nfs"]),
        epoch,
        is_away: false,
        presence,
    };
    let silent = Presence::Silent { since: None };
    let names = ["own", "closed", "new", "silent", "away"];
    let names = names.map(|name| name.parse::<HostName>().unwrap());
    let [own, closed, new, silent_one, away] = names;
    let domain = |domid: Option<u32>, memory_mib, tag: &str| {
        let apart = texts(&[tag]);
        let name = DomName::adopted("web");
        let (state, domid) = (State::Running, domid.map(DomId));
        Arc::new(DomainSummary { name, domid, state, memory_mib, vcpus: 2, started: None, apart })
    };
    let view = FleetView {
        name: "lab".into(),
        own: own.clone(),
        members: RedBlackTreeMapSync::from_iter([
            (own.clone(), member(Presence::Alive, 1, None)),
            (closed.clone(), member(Presence::Alive, 1, None)),
            (new, member(Presence::Alive, 0, Some("new:8003"))),
            (silent_one, member(silent, 1, Some("silent:8003"))),
            (away, Member { is_away: true, ..member(Presence::Alive, 1, Some("away:8003")) }),
        ]),
        domains: RedBlackTreeMapSync::from_iter([
            ((own.clone(), Uuid::from_u128(1)), domain(Some(1), 300, "a")),
            ((own, Uuid::from_u128(2)), domain(None, 500, "b")),
            ((closed, Uuid::from_u128(3)), domain(Some(1), 2000, "c")),
        ]),
        heard: Instant::now(),
    };
    let rooms = HostRoom::all(&view);
    let standings: Vec<_> = rooms.iter().map(|room| (room.name.as_str(), room.standing)).collect();
    let expected = [
        ("away", Standing::Away),
        ("closed", Standing::Closed),
        ("new", Standing::New),
        ("own", Standing::Ready),
        ("silent", Standing::Silent),
    ];
    assert_eq!(standings, expected);
    let own = &rooms[3];
    assert_eq!((own.free_mib, own.given_mib, own.vcpus), (700, 800, 4));
    assert_eq!(own.tags.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rooms[1].free_mib, 0);
}

fn leaving(number: u128, wanted: Wanted) -> Leaving {
    let name = DomName::adopted(&format!("d{number:02}"));
    Leaving { uuid: Uuid::from_u128(number), name, wanted }
}

#[test]
fn a_plan_moves_the_largest_first_and_names_what_stays() {
    let hosts = [room("a", 1000), room("b", 600)];
    let domains: Vec<_> = [200, 1000, 400, 5000]
        .iter()
        .zip(1..)
        .map(|(memory, number)| leaving(number, wanted(*memory)))
        .collect();
    let plan = evacuate(&domains, &hosts);
    let moves: Vec<_> =
        plan.moves.iter().map(|one| (one.domain.name.as_str(), one.to.as_str())).collect();
    assert_eq!(moves, [("d02", "a"), ("d03", "b"), ("d01", "b")]);
    let [stay] = plan.staying.as_slice() else { panic!("{plan:?}") };
    assert_eq!(stay.domain.name.as_str(), "d04");
    let reason = "a has 0 MiB of 5000 MiB free, b has 0 MiB of 5000 MiB free";
    assert_eq!(stay.reason.to_string(), reason);
}

/// Domains that are spread would leave no gap for the last one.
#[test]
fn a_plan_fills_hosts_if_something_stayed_otherwise() {
    let empty = |name, memory_mib| HostRoom {
        memory_mib,
        free_mib: memory_mib,
        given_mib: 0,
        cpus: 1000,
        ..room(name, 0)
    };
    let hosts = [empty("a", 1000), empty("b", 800)];
    let domains = [800, 500, 500].iter().zip(1..).map(|(size, n)| leaving(n, wanted(*size)));
    let plan = evacuate(&domains.collect::<Vec<_>>(), &hosts);
    assert!(plan.staying.is_empty(), "{plan:?}");
    assert_eq!(plan.moves[0].to.as_str(), "b");
}

#[test]
fn domains_of_a_tag_leave_for_different_hosts() {
    let hosts = [room("a", 8000), room("b", 100)];
    let apart = |memory| Wanted { apart: texts(&["db"]), ..wanted(memory) };
    let plan = evacuate(&[leaving(1, apart(10)), leaving(2, apart(20))], &hosts);
    let moves: Vec<_> = plan.moves.iter().map(|one| one.to.as_str()).collect();
    assert_eq!(moves, ["a", "b"]);
    let three = [leaving(1, apart(10)), leaving(2, apart(20)), leaving(3, apart(30))];
    let plan = evacuate(&three, &hosts);
    assert_eq!((plan.moves.len(), plan.staying.len()), (2, 1));
    assert!(plan.staying[0].reason.to_string().contains("fleet_apart \"db\""));
}

fn some_names() -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(texts(&["x", "y"]), 0..=2)
}

fn some_wanted() -> impl Strategy<Value = Wanted> {
    let hosts = prop::sample::subsequence(texts(&["h0", "h1", "h2", "h3", "h4"]), 0..=5);
    (0..400u64, 1..9u32, some_names(), prop::option::weighted(0.2, Just("t")), hosts).prop_map(
        |(memory_mib, vcpus, storages, tag, hosts)| Wanted {
            memory_mib,
            vcpus,
            storages,
            apart: tag.into_iter().map(str::to_owned).collect(),
            hosts: if hosts.len() > 2 { hosts } else { Vec::new() },
        },
    )
}

fn some_hosts() -> impl Strategy<Value = Vec<HostRoom>> {
    let standing = prop::sample::select(vec![
        Standing::Ready,
        Standing::Ready,
        Standing::Ready,
        Standing::Silent,
        Standing::New,
        Standing::Closed,
    ]);
    let host = (standing, 0..1000u64, 0..1000u64, 1..9u32, some_names(), any::<bool>());
    prop::collection::vec(host, 0..5).prop_map(|hosts| {
        let room = |(at, (standing, free_mib, used, cpus, storages, is_tagged)): (usize, _)| {
            let tags = if is_tagged { ["t".to_owned()].into() } else { BTreeSet::new() };
            let name = format!("h{at}").parse().unwrap();
            let memory_mib = free_mib + used;
            let (given_mib, vcpus) = (used, 3);
            HostRoom {
                name,
                standing,
                memory_mib,
                free_mib,
                given_mib,
                cpus,
                vcpus,
                storages,
                tags,
            }
        };
        hosts.into_iter().enumerate().map(room).collect()
    })
}

/// Whether a domain may be on a host, said in another way than the rules say it.
fn suits(host: &HostRoom, wanted: &Wanted) -> bool {
    host.standing == Standing::Ready
        && host.free_mib >= wanted.memory_mib
        && (wanted.hosts.is_empty() || wanted.hosts.contains(&host.name.to_string()))
        && wanted.storages.iter().all(|name| host.storages.contains(name))
        && !wanted.apart.iter().any(|tag| host.tags.contains(tag))
}

/// Gives a domain to a host.
fn give(host: &mut HostRoom, wanted: &Wanted) {
    host.free_mib -= wanted.memory_mib;
    host.tags.extend(wanted.apart.iter().cloned());
}

/// Whether all domains fit if each is given to the first host that has room, the largest first.
fn all_fit(domains: &[Leaving], hosts: &[HostRoom]) -> bool {
    let mut domains = domains.to_vec();
    let mut hosts = hosts.to_vec();
    hosts.sort_by_key(|host| host.name.clone());
    domains.sort_by_key(|one| {
        (std::cmp::Reverse((one.wanted.memory_mib, one.wanted.vcpus)), one.name.clone())
    });
    domains.iter().all(|domain| {
        let host = hosts.iter_mut().find(|host| suits(host, &domain.wanted));
        host.map(|host| give(host, &domain.wanted)).is_some()
    })
}

proptest! {
    #[test]
    fn a_domain_gets_a_host_that_suits_it_or_none_does(
        wanted in some_wanted(),
        hosts in some_hosts(),
    ) {
        match place(&wanted, &hosts) {
            Ok(host) => prop_assert!(suits(host, &wanted)),
            Err(refusal) => {
                prop_assert!(!hosts.iter().any(|host| suits(host, &wanted)));
                prop_assert_eq!(refusal.hosts.len(), hosts.len());
            }
        }
    }

    #[test]
    fn the_order_of_hosts_and_domains_makes_no_difference(
        (hosts, mixed) in some_hosts().prop_flat_map(|hosts| (Just(hosts.clone()), Just(hosts).prop_shuffle())),
        (wanted, mixed_wanted) in prop::collection::vec(some_wanted(), 0..8).prop_flat_map(|all| {
            let all: Vec<_> = (0..).zip(all).map(|(n, wanted)| leaving(n, wanted)).collect();
            (Just(all.clone()), Just(all).prop_shuffle())
        }),
    ) {
        for domain in &wanted {
            prop_assert_eq!(place(&domain.wanted, &hosts), place(&domain.wanted, &mixed));
        }
        prop_assert_eq!(evacuate(&wanted, &hosts), evacuate(&mixed_wanted, &mixed));
    }

    #[test]
    fn each_move_fits_after_those_before_it(
        hosts in some_hosts(),
        all in prop::collection::vec(some_wanted(), 0..8),
    ) {
        let domains: Vec<_> = (0..).zip(all).map(|(n, wanted)| leaving(n, wanted)).collect();
        let plan = evacuate(&domains, &hosts);
        let mut left = hosts.clone();
        let mut before = u64::MAX;
        for Move { domain, to } in &plan.moves {
            let host = left.iter_mut().find(|host| host.name == *to).unwrap();
            prop_assert!(suits(host, &domain.wanted));
            give(host, &domain.wanted);
            prop_assert!(domain.wanted.memory_mib <= before);
            before = domain.wanted.memory_mib;
        }
        for Stay { domain, .. } in &plan.staying {
            prop_assert!(!left.iter().any(|host| suits(host, &domain.wanted)));
        }
        let mut named: Vec<_> = plan.moves.iter().map(|one| one.domain.uuid).collect();
        named.extend(plan.staying.iter().map(|one| one.domain.uuid));
        named.sort_unstable();
        prop_assert_eq!(named, domains.iter().map(|one| one.uuid).collect::<Vec<_>>());
        if all_fit(&domains, &hosts) {
            prop_assert!(plan.staying.is_empty(), "{:?}", plan);
        }
    }
}
