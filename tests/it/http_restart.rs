//! Domains outlive the daemon, as they do on real Xen.

use crate::http_support::{Daemon, guest};
use rustix::process::Signal;
use std::collections::BTreeMap;

#[test]
fn domains_outlive_a_daemon_that_is_killed() {
    let daemon = Daemon::start(&[]);
    for name in ["runs", "paused", "stops"] {
        assert_eq!(
            daemon.create(&guest(name, "(localtime 1) (description 'a \"b\" c')")).code,
            201
        );
    }
    daemon.post("/xend/domain/runs", "op=wait_for_devices");
    for name in ["runs", "stops"] {
        daemon.post(&format!("/xend/domain/{name}"), "op=unpause");
    }
    assert_eq!(
        daemon
            .post(
                "/xend/domain/runs",
                "op=cpu_sedf_set&period=20000000&slice=5000000&latency=7&extratime=0&weight=0"
            )
            .text(),
        "0"
    );
    assert_eq!(daemon.post("/xend/domain/runs", "op=mem_target_set&target=32").code, 200);
    assert_eq!(daemon.post("/xend/domain/runs", "op=set_vcpus&vcpus=1").code, 200);
    assert_eq!(daemon.post("/xend/domain/runs", "op=pincpu&vcpu=1&cpumap=2,3").text(), "0");
    daemon.post("/xend/domain/paused", "op=rename&name=waits");
    daemon.post("/xend/domain/stops", "op=shutdown&reason=poweroff");
    let before = daemon.domain("runs").unwrap();
    let sedf = daemon.post("/xend/domain/runs", "op=cpu_sedf_get").text();

    let daemon = daemon.killed_and_restarted();
    let after = daemon.domain("runs").unwrap();
    for key in [
        "domid",
        "uuid",
        "start_time",
        "cpu_cap",
        "description",
        "localtime",
        "state",
        "image",
        "memory",
        "vcpu_avail",
        "cpus",
        "online_vcpus",
    ] {
        assert_eq!(before.get(key), after.get(key), "{key}");
    }
    let devices = |domain: &xend::sxp::Sxp| {
        domain.tail().iter().filter(|i| i.head() == Some("device")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(devices(&before), devices(&after));
    let cpu_time = |domain: &xend::sxp::Sxp| {
        domain.value("cpu_time").unwrap().as_str().unwrap().parse::<f64>().unwrap()
    };
    assert!(cpu_time(&after) >= cpu_time(&before));
    assert_eq!(daemon.post("/xend/domain/runs", "op=cpu_sedf_get").text(), sedf);
    assert_eq!(daemon.value("waits", "state"), "--p---");
    assert!(daemon.domain("paused").is_none());
    daemon.until("the end of a guest that was asked to stop", |d| d.domain("stops").is_none());
    daemon.create(&guest("new", ""));
    assert_eq!(daemon.value("new", "domid"), "4");

    // SIGTERM changes nothing, either.
    let (status, dir) = daemon.end(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    let daemon = Daemon::start_in(dir, &[]);
    assert_eq!(daemon.get("/xend/domain").text(), "(Domain-0 new runs waits)");
}

/// Random operations, and SIGKILL at a random moment: every acknowledged change is there once.
#[test]
fn acknowledged_changes_survive_sigkill_at_any_moment() {
    for seed in 1..=5_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let mut daemon = Daemon::start(&[]);
        // The domains that must exist: name -> paused.
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for round in 0..3 {
            for step in 0..random(40) {
                let name = format!("d{}", random(8));
                let path = format!("/xend/domain/{name}");
                match random(4) {
                    0 => {
                        let created = daemon.create(&guest(&name, "")).code == 201;
                        assert_eq!(created, !known.contains_key(&name), "seed {seed}: {name}");
                        known.entry(name).or_insert(true);
                    }
                    1 => {
                        if daemon.post(&path, "op=unpause").code == 200 {
                            known.insert(name, false);
                        }
                    }
                    2 => {
                        if daemon.post(&path, "op=destroy").code == 202 {
                            assert!(known.remove(&name).is_some());
                        }
                    }
                    _ => {
                        let to = format!("r{round}-{step}");
                        if daemon.post(&path, &format!("op=rename&name={to}")).code == 202 {
                            let paused = known.remove(&name).unwrap();
                            known.insert(to, paused);
                        }
                    }
                }
            }
            daemon = daemon.killed_and_restarted();
            let list = daemon.get("/xend/domain").sxp();
            let names: Vec<&str> =
                list.as_list().unwrap().iter().skip(1).map(|name| name.as_str().unwrap()).collect();
            assert_eq!(names, known.keys().map(String::as_str).collect::<Vec<_>>(), "seed {seed}");
            for (name, paused) in &known {
                assert_eq!(
                    daemon.value(name, "state"),
                    if *paused { "--p---" } else { "-b----" },
                    "seed {seed}: {name}"
                );
            }
        }
    }
}
