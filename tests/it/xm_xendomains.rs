//! `xm xendomains`, which starts and stops the domains that run with the host.

use crate::http_support::{Daemon, guest};
use crate::xm_support::Xm;
use crate::xm_xendomains_support::{Host, WEB, lines, started};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_host_that_boots_starts_its_domains_once() {
    let host = started("");
    assert!(host.is_locked());
    let domid = host.domid("web");
    let again = host.good("start");
    assert!(again[0].starts_with("xendomains already running (lockfile "), "{again:?}");
    // Without the file, as after a crash of the host's tools, nothing is started twice.
    fs::remove_file(host.path("run/lock")).unwrap();
    assert_eq!(host.good("start"), ["web runs already", "db runs already"]);
    assert_eq!(host.domid("web"), domid);
    assert_eq!(host.good("status"), ["db runs", "web runs"]);
    Xm(&host.daemon).good("destroy db");
    let (running, missing) = host.bad("status", 1);
    assert_eq!((running, missing), (lines(&["web runs"]), lines(&["Error: db does not run"])));
    let (json, err) = host.bad("status --json", 1);
    let status: Value = serde_json::from_str(&json.concat()).unwrap();
    let domains = json!([{"name": "db", "running": false}, {"name": "web", "running": true}]);
    assert_eq!(status, json!({"started": true, "domains": domains, "saved": []}));
    assert_eq!(err, [""; 0]);
    let refused = "Error: --json is an option of status, not of stop";
    assert_eq!(host.bad("stop --json", 1), (vec![], lines(&[refused])));
}

#[test]
fn a_host_that_shuts_down_saves_its_domains_and_restores_them() {
    let host = started("XENDOMAINS_AUTO_ONLY=true\nXENDOMAINS_SHUTDOWN_ALL=\nXENDOMAINS_SYSRQ=s\n");
    assert_eq!(host.daemon.create(&guest("other", "")).code, 201);
    assert_eq!(
        host.good("stop"),
        [
            "web is saved",
            "db is saved",
            "other is left alone: no file in XENDOMAINS_AUTO is its own"
        ]
    );
    assert_eq!(host.saved(), ["db", "web"]);
    assert!(!host.is_locked() && host.domid("web").is_none() && host.domid("other").is_some());
    let (out, err) = host.bad("status", 3);
    assert_eq!((out, err), (lines(&["xendomains is stopped"]), vec![]));
    let (json, _) = host.bad("status --json", 3);
    assert_eq!(json, lines(&["{", "  \"started\": false", "}"]));
    assert_eq!(
        host.good("start"),
        [
            "db is restored",
            "web is restored",
            "web is not started, as it was saved",
            "db is not started, as it was saved"
        ]
    );
    assert_eq!(host.saved(), [""; 0]);
    host.booted(&["web", "db"]);
    // Both once more, and what is not xend's is left where it is.
    fs::write(host.path("save/README"), "notes").unwrap();
    let (json, _) = host.bad("status --json", 1);
    let status: Value = serde_json::from_str(&json.concat()).unwrap();
    assert_eq!(status["saved"], json!([{"name": "README", "file": host.path("save/README")}]));
    let restarted = host.good("restart");
    assert_eq!(restarted.len(), 7, "{restarted:?}");
    assert_eq!(host.saved(), ["README"]);
    assert!(host.is_locked() && host.domid("web").is_some() && host.domid("db").is_some());
}

#[test]
fn what_is_left_is_shut_down_in_the_end() {
    let host = Host::new("XENDOMAINS_AUTO_ONLY=true\nXENDOMAINS_SAVE=\n");
    host.auto("web", WEB);
    host.good("start");
    Xm(&host.daemon).write("other.cfg", &WEB.replace("web", "other"));
    Xm(&host.daemon).good("create -q other.cfg");
    host.booted(&["web", "other"]);
    assert_eq!(
        host.good("stop"),
        [
            "web is shut down",
            "other is left alone: no file in XENDOMAINS_AUTO is its own",
            "other is told to shut down, as all domains are"
        ]
    );
    assert!(host.domid("web").is_none() && host.domid("other").is_none());
}

#[test]
fn domains_migrate_before_anything_else() {
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let port = other.relocation.unwrap().port();
    let host = started(&format!("XENDOMAINS_MIGRATE=\"--live -p {port} 127.0.0.1\"\n"));
    assert_eq!(host.good("stop"), ["web is migrated", "db is migrated"]);
    assert!(other.domain("web").is_some() && host.saved().is_empty());
    // A host that is not there: the domain is saved.
    host.set("XENDOMAINS_MIGRATE='-p 1 127.0.0.1'\n");
    host.good("start");
    host.booted(&["web", "db"]);
    let (out, err) = host.bad("stop", 1);
    assert_eq!(out, ["web is saved", "db is saved"]);
    assert!(err.len() == 2 && err[0].starts_with("Error: web is not migrated: "), "{err:?}");
}

#[test]
fn what_xend_does_itself_is_left_to_it() {
    let host = Host::new("");
    let xm = Xm(&host.daemon);
    for (name, more) in
        [("starts", "(on_xend_start start)"), ("suspends", "(on_xend_stop suspend)")]
    {
        xm.write(name, &guest(name, more));
        xm.good(&format!("new -q -F {name}"));
        host.auto(name, &guest(name, more));
    }
    // xend has not started it here, since it was defined later.
    assert_eq!(
        host.good("start"),
        ["starts is started by xend (on_xend_start)", "suspends is started"]
    );
    xm.good("start starts");
    host.booted(&["starts", "suspends"]);
    assert_eq!(
        host.good("stop"),
        [
            "suspends is left to xend, which suspends it (on_xend_stop)",
            "starts is not saved: xend starts it anew (on_xend_start)",
            "starts is shut down"
        ]
    );
    assert!(host.saved().is_empty() && host.domid("suspends").is_some());
    // A file that an older system has saved is not restored beside what xend starts.
    fs::create_dir_all(host.path("save")).unwrap();
    fs::write(host.path("save/starts"), "LinuxGuestRecord").unwrap();
    let (_, err) = host.bad("start", 1);
    assert!(err[0].ends_with("xend starts the domain (on_xend_start)"), "{err:?}");
    assert_eq!(host.saved(), ["starts"]);
}
