//! `xm xendomains`: what fails, and that no domain is lost by it.

use crate::http_support::Daemon;
use crate::xm_support::{Printed, Xm};
use crate::xm_xendomains_support::{Host, WEB, started};
use rustix::process::geteuid;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_domain_that_cannot_be_saved_is_shut_down() {
    let host = Host::new("");
    host.auto("a.cfg", "kernel = '/k'\nname = 'savefails'\nmemory = 64\n");
    host.auto("b.cfg", WEB);
    host.good("start");
    host.booted(&["savefails", "web"]);
    let (out, err) = host.bad("stop", 1);
    assert_eq!(out, ["savefails is shut down", "web is saved"]);
    assert!(err.len() == 1 && err[0].starts_with("Error: savefails is not saved: "), "{err:?}");
    assert_eq!(host.saved(), ["web"]);
    assert!(host.domid("savefails").is_none() && !host.is_locked());
}

#[test]
fn a_full_disk_loses_no_domain() {
    let dir = tempfile::tempdir().unwrap();
    let save = dir.path().join("save");
    fs::create_dir(&save).unwrap();
    let mount = format!(
        "mount -t tmpfs -o size=64k small '{0}' && {{ cat /dev/zero >'{0}/filler' 2>/dev/null; \
         exec \"$@\"; }}",
        save.display()
    );
    let namespaces: &[&str] =
        if geteuid().is_root() { &["--mount"] } else { &["--map-root-user", "--mount"] };
    let program = [&["unshare"], namespaces, &["sh", "-c", &mount, "sh"]].concat();
    let tried = Command::new(program[0]).args(&program[1..]).arg("true").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("Skipped: nothing can be mounted here");
        return;
    }
    let config = dir.path().join("xend-config.sxp");
    fs::write(&config, "").unwrap();
    let host = Host::of(Daemon::start_by(&program, dir, &config, &[], &[]), "");
    host.auto("web", WEB);
    host.good("start");
    host.booted(&["web"]);
    let (out, err) = host.bad("stop", 1);
    assert_eq!(out, ["web is shut down"]);
    assert!(err[0].starts_with("Error: web is not saved: "), "{err:?}");
    assert!(err[0].contains("no space left on the disk of "), "{err:?}");
}

#[test]
fn a_saved_domain_that_cannot_be_restored_is_kept() {
    let host = started("XENDOMAINS_SHUTDOWN_ALL=\n");
    host.good("stop");
    let whole = fs::read(host.path("save/web")).unwrap();
    fs::write(host.path("save/web"), &whole[..40]).unwrap();
    fs::write(host.path("save/old"), "Xen saved domain, xl format").unwrap();
    let (out, err) = host.bad("start", 1);
    assert_eq!(
        out,
        [
            "db is restored",
            "web is not started, as it was saved",
            "db is not started, as it was saved"
        ]
    );
    let kept = |name: &str| {
        format!(
            "Error: {name} is not restored, {} is kept: ",
            host.path("save").join(name).display()
        )
    };
    assert_eq!(err.len(), 2, "{err:?}");
    assert_eq!(err[0], format!("{}xl saved it, use xl restore", kept("old")));
    assert!(err[1].starts_with(&kept("web")), "{err:?}");
    assert_eq!(host.saved(), ["old", "web"]);
    let (_, missing) = host.bad("status", 1);
    assert_eq!(missing.len(), 3, "{missing:?}");
    // A domain that was started by hand is saved beside the older file, which is never restored.
    Xm(&host.daemon).good("create -q auto/10-web.cfg");
    host.booted(&["web"]);
    let stopped = host.good("stop");
    assert!(stopped[0].starts_with("db is saved"), "{stopped:?}");
    assert!(stopped[1].starts_with("The file of web that was not restored is "), "{stopped:?}");
    assert_eq!(host.saved(), [".web.1", "db", "old", "web"]);
    assert_eq!(fs::read(host.path("save/.web.1")).unwrap(), whole[..40]);
    // One that runs is not restored beside itself.
    Xm(&host.daemon).good("create -q auto/10-web.cfg");
    let (_, err) = host.bad("start", 1);
    assert!(err.last().unwrap().ends_with("the domain runs already"), "{err:?}");
    assert_eq!(host.saved(), [".web.1", "old", "web"]);
}

#[test]
fn a_step_that_takes_too_long_is_given_up() {
    let host = Host::new("XENDOMAINS_STOP_MAXWAIT=1\nXENDOMAINS_SHUTDOWN_ALL='--all --wait'\n");
    // Its memory takes 20 s to be written.
    host.auto("a", "kernel = '/k'\nname = 'saveslow'\nmemory = 2000\n");
    host.auto("b", "kernel = '/k'\nname = 'deafsavefails'\nmemory = 64\n");
    host.good("start");
    host.booted(&["saveslow", "deafsavefails"]);
    let (out, err) = host.bad("stop", 1);
    assert_eq!(
        out,
        ["saveslow is shut down", "deafsavefails is told to shut down, as all domains are"]
    );
    assert_eq!(err[0], "Error: saveslow is not saved: No answer from xend: it took too long.");
    assert!(err[1].starts_with("Error: deafsavefails is not saved: "), "{err:?}");
    let still = "after 1 s there is still deafsavefails";
    assert_eq!(
        err[2..],
        [
            format!("Error: deafsavefails is not shut down: {still}"),
            format!("Error: Not all domains are shut down: {still}")
        ]
    );
    assert_eq!(host.saved(), [""; 0]);
    assert!(host.domid("saveslow").is_none() && host.domid("deafsavefails").is_some());
}

#[test]
fn mistakes_are_named_and_nothing_else_fails() {
    let host = Host::new("XENDOMAINS_USLEEP=$X\nXENDOMAINS_SHUTDWON=--wait\n");
    host.auto("10-broken", "name = 'broken'\nlambda\n");
    host.auto("20-gone.sxp", "(vm (name gone) (image (linux (kernel /nosuch)))");
    host.auto("30-web", WEB);
    let (out, err) = host.bad("start", 1);
    assert_eq!(out, ["web is started"]);
    let file = host.path("xendomains").display().to_string();
    assert_eq!(
        err[..2],
        [
            format!(
                "Warning: {file}: line 5: $ is for a shell, and none runs: write the value itself"
            ),
            format!(
                "Warning: {file}: line 6: XENDOMAINS_SHUTDWON: there is no such variable, \
                 XENDOMAINS_SHUTDOWN is one"
            )
        ]
    );
    assert!(err[2].contains("10-broken: line 2, column 1: "), "{err:?}");
    assert!(err[3].contains("20-gone.sxp: line 1, column "), "{err:?}");
    assert_eq!(err.len(), 4, "{err:?}");
}

#[test]
fn statuses_are_those_of_init_scripts() {
    let host = Host::new("");
    assert_eq!(
        host.bad("begin", 3).1,
        ["Error: 'begin': start, stop, restart, reload or status is expected"]
    );
    fs::remove_file(host.path("xendomains")).unwrap();
    let missing = format!("{} does not exist", host.path("xendomains").display());
    for action in ["start", "restart", "reload", "status"] {
        assert_eq!(host.bad(action, 6).1, [format!("Error: {missing}")]);
    }
    assert_eq!(host.good("stop"), [missing]);
    host.set("");
    let run = |server: &str, action: &str| {
        let line = format!("xendomains {action} --config WORK/xendomains --lockfile WORK/run/lock");
        let mut command = Xm(&host.daemon).command(&line);
        command.env("XM_SERVER", server);
        Printed::of(&command.output().unwrap())
    };
    let elsewhere = run("https://xen.example.org", "start");
    let advice = "Error: The files of another host are not here: use xm xendomains there\n";
    assert_eq!((elsewhere.status, elsewhere.err.as_str()), (1, advice));
    let nowhere = format!("unix:{}", Path::new("/nosuch/socket").display());
    assert_eq!(run(&nowhere, "start").status, 1);
    assert!(!host.is_locked());
    assert_eq!(run(&nowhere, "status").status, 3);
    host.good("start");
    assert_eq!(run(&nowhere, "status").status, 4);
    assert_eq!(run(&nowhere, "stop").status, 1);
    // Nothing was stopped.
    assert!(host.is_locked());
}

#[test]
fn a_directory_that_is_wrong_is_a_failure() {
    let host = Host::new("XENDOMAINS_AUTO=auto\n");
    let (out, err) = host.bad("start", 1);
    assert!(out.is_empty(), "{out:?}");
    assert!(err[0].ends_with("XENDOMAINS_AUTO: 'auto' is not an absolute path"), "{err:?}");
    let advice = "The domains of XENDOMAINS_AUTO are not started: correct the variable";
    assert_eq!(err[1..], [format!("Error: {advice}")]);
    assert_eq!(host.bad("status", 1).1.len(), 2);
    // xend runs: 4 is for when it does not.
    host.set(&format!("XENDOMAINS_SAVE={}\n", host.path("xendomains").display()));
    let (_, err) = host.bad("status", 1);
    assert!(err.len() == 1 && err[0].starts_with("Error: "), "{err:?}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let host = Host::new("");
    let auto = host.path("auto").display().to_string();
    host.auto("web", WEB);
    let text = format!("\u{feff}XENDOMAINS_AUTO={auto}\n");
    fs::write(host.path("xendomains"), text).unwrap();
    assert_eq!(host.good("start"), ["web is started"]);
}
