//! An agent that is killed at any moment, with requests of all kinds waiting: what it was at is as
//! before or done, and the next one does the rest.

use crate::guest::Guest;
use crate::machine::{Moments, SHADOW, wait};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use std::fs;
use std::time::{Duration, Instant};
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::keys::{Digest, Private, Public};
use xend_guest_protocol::limits::KEPT_RESPONSES;
use xend_guest_protocol::password::Password;
use xend_guest_protocol::path::GuestPath;

const ROUNDS: u32 = 40;

const PLUGINS: &str = "[plugins]\ndirectory = \"/commands\"\n";

fn content(round: u32) -> String {
    format!("{round:08}").repeat(300)
}

fn name(round: u32) -> String {
    format!("web{round:03}")
}

fn password(round: u32) -> String {
    format!("Secret{round}")
}

/// Puts one request of each kind that changes the guest, and some that do not. Needs an agent that
/// runs, for the key.
fn put_all(guest: &mut Guest, round: u32) -> Vec<String> {
    guest.write("/proc/sys/kernel/hostname", name(round));
    guest.write_node("vm-data/hostname", &name(round));
    let private = Private::from_random(&mut [9; 16]);
    let (code, theirs) = guest.ask("keyinit", private.public().to_string());
    assert_eq!(code, "D0");
    let key = private.shared_with(Public::parse(&theirs).unwrap());
    let encrypted = key.encrypt(&Password::new(&password(round)).unwrap(), Digest::Md5);
    let file = |path: &str| {
        let contents = content(round).into_bytes();
        GuestFile { path: GuestPath::new(path).unwrap(), contents }
    };
    let made = format!("/made/{round}/.ssh/file");
    vec![
        guest.put("password", encrypted),
        guest.put("version", "agent"),
        guest.put("injectfile", file("/etc/replaced").to_injectfile().unwrap()),
        guest.put("file_inject", file(&made).to_file_inject()),
        guest.put("resetnetwork", ""),
        guest.put("append", round),
        guest.put("keyinit", "5"),
        guest.put("nothing", ""),
    ]
}

fn is_password(guest: &Guest, round: u32) -> bool {
    let shadow = guest.read("/etc/shadow");
    let hash = shadow.split(':').nth(1).unwrap();
    ShaCrypt::SHA512.verify_password(password(round).as_bytes(), hash).is_ok()
}

/// Nothing is half written while the agent is dead.
fn check_files(guest: &Guest, round: u32) {
    let replaced = guest.read("/etc/replaced");
    assert!([content(round - 1), content(round)].contains(&replaced), "{replaced}");
    let made = fs::read_to_string(guest.path(&format!("/made/{round}/.ssh/file")));
    assert!(made.is_err() || made.unwrap() == content(round));
    let host_name = guest.read("/etc/hostname");
    let names = [name(round - 1), name(round)].map(|name| format!("{name}\n"));
    assert!(names.contains(&host_name), "{host_name}");
    let shadow = guest.read("/etc/shadow");
    let others: String = SHADOW.split_inclusive('\n').skip(1).collect();
    assert!(shadow.ends_with(&others), "{shadow}");
    let first = shadow.lines().next().unwrap();
    assert!(first.starts_with("root:$6$") && first.ends_with(":0:99999:7:::"), "{first}");
}

/// The requests that are gone are the first ones, and all of them are answered.
fn check_requests(guest: &mut Guest, ids: &[String]) -> usize {
    let there: Vec<bool> = ids.iter().map(|id| guest.has_request(id)).collect();
    assert!(there.is_sorted(), "{there:?}");
    let gone = there.iter().filter(|there| !**there).count();
    let responses = guest.responses();
    for id in &ids[..gone] {
        assert!(responses.contains(id), "{id} has no response");
        // Reads it whole.
        guest.wait_for(id);
    }
    gone
}

#[test]
fn requests_outlive_the_agent() {
    let Some(mut guest) = Guest::new() else { return };
    guest.configure(PLUGINS);
    guest.script("/commands/append", "cat >> \"$0.values\"; echo >> \"$0.values\"");
    guest.start();
    let mut moments = Moments(1);
    let start = Instant::now();
    let ids = put_all(&mut guest, 0);
    guest.wait_until_taken(ids.last().unwrap());
    guest.check();
    let limit = start.elapsed();
    assert!(is_password(&guest, 0));

    let mut gone = 0;
    for round in 1..=ROUNDS {
        let ids = put_all(&mut guest, round);
        // Now and then the next agents are killed as well.
        for _ in 0..=moments.below(3) {
            std::thread::sleep(moments.next(limit));
            guest.kill();
            check_files(&guest, round);
            gone += check_requests(&mut guest, &ids);
            guest.start();
        }
        guest.wait_until_taken(ids.last().unwrap());
        guest.check();
        assert_eq!(guest.litter(), Vec::<std::path::PathBuf>::new());
        assert_eq!(guest.read("/etc/replaced"), content(round));
        assert_eq!(guest.read(&format!("/made/{round}/.ssh/file")), content(round));
        assert_eq!(guest.read("/etc/hostname"), format!("{}\n", name(round)));
        let values = guest.read("/commands/append.values");
        assert!(values.lines().any(|line| line == round.to_string()), "{values}");
        for id in &ids {
            guest.wait_for(id);
        }
        // The key is gone with the agent, so an agent that has set the password and was killed
        // before it could say so makes the next one refuse it.
        if guest.wait_for(&ids[0]).0 == "0" {
            assert!(is_password(&guest, round), "round {round}");
        }
    }
    eprintln!("{gone} requests were carried out when agents were killed");
}

/// The agent is killed again and again, and never for long enough to finish its start.
#[test]
fn an_agent_that_is_killed_while_it_starts_loses_nothing() {
    let Some(mut guest) = Guest::new() else { return };
    guest.start();
    guest.check();
    guest.kill();
    // All responses to these are kept.
    let ids: Vec<String> = (1..KEPT_RESPONSES).map(|_| guest.put("version", "")).collect();
    let mut moments = Moments(2);
    let mut gone = 0;
    for _ in 0..60 {
        guest.start();
        std::thread::sleep(moments.next(Duration::from_millis(40)));
        guest.kill();
        gone = check_requests(&mut guest, &ids);
    }
    eprintln!("{gone} of 31 requests were carried out by agents that were killed");
    guest.start();
    for id in ids {
        guest.wait_until_taken(&id);
    }
    guest.check();
}

/// What an agent that was killed had in XenStore is gone with its connection.
#[test]
fn killed_agents_leave_no_watches() {
    let Some(mut guest) = Guest::new() else { return };
    for _ in 0..140 {
        guest.start();
        assert!(wait(|| guest.read_node("data/host")).is_some());
        guest.kill();
    }
    guest.start();
    guest.check();
    assert!(!guest.log().contains("Cannot watch"), "{}", guest.log());
}
