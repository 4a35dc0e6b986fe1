//! A disk that is full: each wire says it and names the disk, the log says it, and nothing is lost.
//! The disk is a file system in memory that only the daemon sees.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest};
use crate::xenapi_support::{Client, record, strings, text};
use rustix::process::{Signal, geteuid};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use xend::wire::xmlrpc::Value;

/// The size of the disk in bytes.
const SIZE: &str = "size=4m";

/// A command that fills the disk.
const FILL: &str = "{ dd if=/dev/zero of=filler bs=4096 2>/dev/null; true; }";

/// Namespaces in which the daemon may mount.
fn namespaces() -> &'static [&'static str] {
    if geteuid().is_root() { &["--mount"] } else { &["--map-root-user", "--mount"] }
}

/// A client of a daemon whose state directory is a small disk, in which a script has run before;
/// `None` where nothing can be mounted.
fn on_a_small_disk(script: &str) -> Option<Client> {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    let mount = format!(
        "mount -t tmpfs -o {SIZE},mode=700 small '{0}' && cd '{0}' && {{ {script}; }} && cd / \
         && exec \"$@\"",
        state.display()
    );
    let program = [&["unshare"], namespaces(), &["sh", "-c", &mount, "sh"]].concat();
    let tried = Command::new(program[0]).args(&program[1..]).arg("true").output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("Skipped: nothing can be mounted here");
        return None;
    }
    let socket = dir.path().join("xen-api");
    let config = dir.path().join("xend-config.sxp");
    fs::write(&config, "").unwrap();
    let options = ["--xen-api", socket.to_str().unwrap()];
    let daemon = Daemon::start_by(&program, dir, &config, &options, &[]);
    let mut client = Client { daemon, listener: Listener::Unix(socket), session: Value::Nil };
    client.session = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    Some(client)
}

/// The file that fills the disk, as this process reaches it.
fn filler(daemon: &Daemon) -> PathBuf {
    let state = daemon.dir.path().join("state");
    let root = PathBuf::from(format!("/proc/{}/root", daemon.pid()));
    root.join(state.strip_prefix("/").unwrap()).join("filler")
}

fn fill(file: &Path) {
    let mut file = File::create(file).unwrap();
    loop {
        match file.write_all(&[1; 4096]) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_full_disk_is_said_on_every_wire_and_nothing_is_lost() {
    let Some(client) = on_a_small_disk("true") else { return };
    let daemon = &client.daemon;
    let state = daemon.dir.path().join("state");
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    assert_eq!(daemon.post("/xend/domain/web", "op=unpause").code, 200);
    let filler = filler(&client.daemon);
    fill(&filler);

    let full = |place: &str| {
        let place = if place.is_empty() { state.clone() } else { state.join(place) };
        format!("no space left on the disk of {}", place.display())
    };
    let saved = encoded(state.join("web.save").to_str().unwrap());
    let dumped = encoded(state.join("dump/web.core").to_str().unwrap());
    let defined = encoded(&guest("db", ""));
    let vnet = encoded("(vnet (id 1) (vnetif v1))");
    for (target, form, place) in [
        ("/xend/domain", format!("op=new&config={defined}"), "domains"),
        ("/xend/domain", format!("op=create&config={defined}"), "sim"),
        ("/xend/domain/web", "op=pause".into(), "sim"),
        ("/xend/domain/web", format!("op=save&file={saved}"), ""),
        ("/xend/domain/web", format!("op=dump&live=1&file={dumped}"), "dump"),
        ("/xend/vnet", format!("op=create&config={vnet}"), ""),
    ] {
        let answer = daemon.post(target, &form);
        assert_eq!(answer.code, 500, "{form}: {}", answer.text());
        assert!(answer.text().contains(&full(place)), "{form}: {}", answer.text());
    }
    let vm = client.vm("web");
    let error = client.call("VM.pause", &[vm]).unwrap_err();
    assert_eq!(error[0], "OPERATION_NOT_ALLOWED", "{error:?}");
    assert!(error[1].contains(&full("sim")), "{error:?}");
    let vdi = record(&[
        ("name_label", text("disk")),
        ("SR", client.sr()),
        ("virtual_size", text("4096")),
        ("type", text("user")),
    ]);
    let error = client.call("VDI.create", std::slice::from_ref(&vdi)).unwrap_err();
    assert!(error[0] != "INTERNAL_ERROR" && error[1].contains(&full("objects")), "{error:?}");
    let (_, fault) = client.raw("xend.domain.pause", &[text("web")]).unwrap_err();
    assert!(fault.contains(&full("sim")), "{fault}");
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = ask(&Listener::Unix(daemon.socket()), request);
    let said = format!("The state directory cannot be written: {}\n", full(""));
    assert_eq!((answer.code, answer.text()), (503, said));
    let log = daemon.log();
    for place in ["domains", "sim", "dump", "objects", ""] {
        let mut lines = log.lines().filter(|line| line.contains(&full(place)));
        assert!(lines.next().is_some(), "{place}: {log}");
        assert!(lines.all(|line| !line.contains("] INFO (")), "{place}: {log}");
    }
    let began = format!("The state directory cannot be written: {}: changes fail", full(""));
    assert_eq!(log.matches(&began).count(), 1, "{log}");

    // What is refused leaves nothing behind.
    let domains = filler.parent().unwrap().join("domains");
    assert_eq!(fs::read_dir(domains).unwrap().count(), 0);

    // As it was, and with room again everything works.
    assert!(
        daemon.value("web", "state").starts_with('r') || daemon.value("web", "state").contains('b')
    );
    assert_eq!(daemon.get("/xend/domain?state=all").text(), "(Domain-0 web)");
    fs::remove_file(&filler).unwrap();
    assert_eq!(daemon.post("/xend/domain/web", "op=pause").code, 200);
    assert_eq!(daemon.post("/xend/domain", &format!("op=new&config={defined}")).code, 200);
    client.call("VDI.create", &[vdi]).unwrap();
    client.daemon.wait_for_log("The state directory can be written again");
}

/// Whatever else is wrong with one file: what is there is served, and changes wait for room.
#[test]
fn a_full_disk_does_not_prevent_the_start() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    assert_eq!(daemon.post("/xend/domain/web", "op=unpause").code, 200);
    let defined = encoded(&guest("db", ""));
    assert_eq!(daemon.post("/xend/domain", &format!("op=new&config={defined}")).code, 200);
    let (_, original) = daemon.end(Signal::TERM);
    let original = original.path().join("state");
    let known = fs::read_to_string(original.join("host-uuid")).unwrap();
    for (damage, domains, said) in [
        ("true", "Domain-0 db web", ""),
        ("echo x >sim/host.sxp", "Domain-0 db web", "The record of the simulated host"),
        ("rm sim/host.sxp", "Domain-0 db web", "The record of the simulated host"),
        ("echo x >sim/domains/0.sxp", "Domain-0 db web", "Domain-0 is not written"),
        ("echo x >sim/domains/1.sxp", "Domain-0 db", ""),
        ("rm sim/dmesg", "Domain-0 db web", ""),
        ("echo 'x(' >vnets.sxp", "Domain-0 db web", ""),
        ("echo x >host-uuid; echo x >host-uuid.copy", "Domain-0 db web", "The host's UUID"),
        ("rm host-uuid host-uuid.copy", "Domain-0 db web", "The host's UUID"),
    ] {
        let script = format!("cp -a '{}'/. . && {{ {damage}; }} && {FILL}", original.display());
        let Some(client) = on_a_small_disk(&script) else { return };
        let daemon = &client.daemon;
        let log = daemon.log();
        let state = daemon.dir.path().join("state");
        let full = format!("no space left on the disk of {}", state.display());
        let listed = daemon.get("/xend/domain?state=all").text();
        let mut listed: Vec<&str> = listed.trim_matches(['(', ')']).split_whitespace().collect();
        listed.sort_unstable();
        assert_eq!(listed.join(" "), domains, "{damage}: {log}");
        if said.is_empty() {
            assert!(!log.contains("is not written"), "{damage}: {log}");
        } else {
            let has_it = |line: &str| line.contains(said) && line.contains(&full);
            assert!(log.lines().any(has_it), "{damage}: {log}");
        }
        let uuid = strings(&client.call("host.get_all", &[]).unwrap()).remove(0);
        assert_eq!(uuid == known.trim(), !damage.contains("host-uuid"), "{damage}");
        let define = |name: &str| -> Answer {
            let config = encoded(&guest(name, ""));
            daemon.post("/xend/domain", &format!("op=new&config={config}"))
        };
        let weigh = || daemon.post("/xend/domain/Domain-0", "op=domain_sched_credit_set&weight=77");
        for answer in [define("more"), weigh()] {
            assert!(answer.code == 500 && answer.text().contains(&full), "{}", answer.text());
        }
        let filler = filler(daemon);
        fs::remove_file(&filler).unwrap();
        assert_eq!(define("more").code, 200, "{damage}");
        assert_eq!(weigh().code, 200, "{damage}");
        let state = filler.parent().unwrap();
        assert!(state.join("sim/host.sxp").is_file(), "{damage}");
        if damage.contains("host-uuid") {
            daemon.wait_for_log("The host's UUID is stored");
            let stored = fs::read_to_string(state.join("host-uuid")).unwrap();
            assert_eq!(stored.trim(), uuid);
        }
    }
}

/// The commands that write the file of accounts.
#[test]
fn a_full_disk_leaves_the_accounts_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display();
    // As much of a file as there is room for is no file: the old one stays.
    let script = format!(
        "mount -t tmpfs -o {SIZE} small '{place}' && cd '{place}' && umask 077 &&
         \"$1\" user add steve --uid 1 --no-password --file users.sxp && cp users.sxp before &&
         {{ dd if=/dev/zero of=filler bs=4096 2>/dev/null; true; }} &&
         ! \"$1\" user add ann --uid 2 --no-password --file users.sxp && cmp users.sxp before && ls -A"
    );
    let program = [&["unshare"], namespaces(), &["sh", "-c", &script, "sh"]].concat();
    let run = Command::new(program[0]).args(&program[1..]).arg(env!("CARGO_BIN_EXE_xend")).output();
    let Ok(run) = run else {
        println!("Skipped: there is no unshare");
        return;
    };
    let said = String::from_utf8_lossy(&run.stderr);
    if said.contains("unshare failed") || said.contains("mount:") {
        println!("Skipped: nothing can be mounted here: {said}");
        return;
    }
    assert!(run.status.success(), "{said}");
    assert!(said.contains("users.sxp: No space left on device"), "{said}");
    let left = String::from_utf8_lossy(&run.stdout);
    let left: Vec<&str> = left.lines().filter(|line| !line.contains(' ')).collect();
    assert_eq!(left, ["before", "filler", "users.sxp"], "nothing is left behind");
}
