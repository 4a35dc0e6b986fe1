//! What goes wrong.

use crate::etcd_cluster::SERVERS;
use crate::fleet::Fleet;
use crate::machine::{Machine, Part};
use crate::proxy::Link;
use crate::random::Random;
use rustix::process::Signal;
use std::thread::Scope;
use std::time::Duration;

/// A fault, with the seconds that it lasts.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(usize, Part),
    Stop(usize, Part, u64),
    LosePower(usize, u64),
    Cut(usize, Link, u64),
    KillEtcd(usize, u64),
    StopEtcd(usize, u64),
    KillLeader(u64),
    StopLeader(u64),
    StopMajority(u64),
}

/// Makes faults until the end, with quiet times between them.
pub(crate) fn run<'scope>(fleet: &'scope Fleet, scope: &'scope Scope<'scope, '_>) {
    let mut random = fleet.random(1);
    let mut made = 0;
    while !fleet.is_over() {
        let fault = choose(fleet, &mut random);
        let is_alone = random.percent(75);
        if is_alone {
            make(fleet, fault);
        } else {
            scope.spawn(move || make(fleet, fault));
        }
        made += 1;
        // A takeover needs more than a minute in which nothing else happens.
        let quiet = match made % 6 {
            0 => 90,
            _ if is_alone => *random.pick(&[3, 8, 20]),
            _ => *random.pick(&[0, 1, 3]),
        };
        fleet.pause(Duration::from_secs(quiet));
    }
}

fn choose(fleet: &Fleet, random: &mut Random) -> Fault {
    let host = random.below(fleet.machines.len());
    let server = random.below(SERVERS);
    let part = *random.pick(&[Part::Daemon, Part::Guard]);
    let seconds = *random.pick(&[1, 4, 9, 15, 25, 40, 60]);
    let slow = Link::Slow(Duration::from_millis(*random.pick(&[50, 300, 1_000])));
    match random.below(14) {
        0 | 1 => Fault::Kill(host, Part::Daemon),
        2 => Fault::Kill(host, Part::Guard),
        3 | 4 => Fault::Stop(host, part, seconds),
        5 | 6 => Fault::LosePower(host, *random.pick(&[3, 20, 60, 100])),
        7..=9 => Fault::Cut(host, *random.pick(&[Link::Refused, Link::Silent, slow]), seconds),
        10 => Fault::KillEtcd(server, seconds),
        11 => {
            if random.percent(50) {
                Fault::KillLeader(seconds)
            } else {
                Fault::StopEtcd(server, seconds)
            }
        }
        12 => Fault::StopLeader(seconds),
        _ => Fault::StopMajority(seconds.min(40)),
    }
}

fn make(fleet: &Fleet, fault: Fault) {
    let etcd = &fleet.etcd;
    let begin = |kind: &str, what: String| {
        fleet.count(&format!("fault: {kind}"));
        fleet.say(&what);
    };
    let last = |seconds: u64| {
        fleet.pause(Duration::from_secs(seconds));
    };
    let of = |host: usize| -> (&Machine, &str) {
        let machine = &fleet.machines[host];
        (machine, &machine.name)
    };
    match fault {
        Fault::Kill(host, part) => {
            let (machine, name) = of(host);
            begin(&format!("{part:?} killed"), format!("{name}: {part:?} killed"));
            machine.signal(part, Signal::KILL);
        }
        Fault::Stop(host, part, seconds) => {
            let (machine, name) = of(host);
            let what = format!("{name}: {part:?} stopped for {seconds} s");
            begin(&format!("{part:?} stopped"), what);
            let stopped = machine.signal(part, Signal::STOP);
            last(seconds);
            machine.resume(part, stopped);
        }
        Fault::LosePower(host, seconds) => {
            let (machine, name) = of(host);
            begin("power lost", format!("{name}: off for {seconds} s"));
            machine.lose_power(Duration::from_secs(seconds));
        }
        Fault::Cut(host, link, seconds) => {
            let (machine, name) = of(host);
            let kind = match link {
                Link::Slow(_) => "link slow",
                Link::Refused => "link refused",
                Link::Up | Link::Silent => "link silent",
            };
            begin(kind, format!("{name}: link to etcd {link:?} for {seconds} s"));
            machine.links.set(link);
            last(seconds);
            machine.links.set(Link::Up);
        }
        Fault::KillEtcd(server, seconds) => {
            begin("etcd killed", format!("etcd{server} killed, back after {seconds} s"));
            etcd.kill(server);
            last(seconds);
            etcd.start_server(server);
        }
        Fault::StopEtcd(server, seconds) => {
            begin("etcd stopped", format!("etcd{server} stopped for {seconds} s"));
            stop(fleet, &[server], seconds);
        }
        Fault::KillLeader(seconds) => {
            let Some(leader) = fleet.runtime.block_on(etcd.leader()) else { return };
            let what = format!("etcd{leader}, the leader, killed, back after {seconds} s");
            begin("etcd leader killed", what);
            etcd.kill(leader);
            last(seconds);
            etcd.start_server(leader);
        }
        Fault::StopLeader(seconds) => {
            let Some(leader) = fleet.runtime.block_on(etcd.leader()) else { return };
            let what = format!("etcd{leader}, the leader, stopped for {seconds} s");
            begin("etcd leader stopped", what);
            stop(fleet, &[leader], seconds);
        }
        Fault::StopMajority(seconds) => {
            begin("etcd majority stopped", format!("etcd0 and etcd1 stopped for {seconds} s"));
            stop(fleet, &[0, 1], seconds);
        }
    }
}

fn stop(fleet: &Fleet, servers: &[usize], seconds: u64) {
    for server in servers {
        fleet.etcd.signal(*server, Signal::STOP);
    }
    fleet.pause(Duration::from_secs(seconds));
    for server in servers {
        fleet.etcd.signal(*server, Signal::CONT);
    }
}
