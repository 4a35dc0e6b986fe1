//! Managed domains over HTTP: stored definitions, start and stop with xend, save and restore,
//! damaged files.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest, open_page};
use rustix::process::Signal;
use std::path::PathBuf;

const UUID: &str = "11111111-2222-3333-4444-555555555555";

fn define(daemon: &Daemon, config: &str) -> Answer {
    daemon.post("/xend/domain", &format!("op=new&config={}", encoded(config)))
}

fn managed(name: &str, more: &str) -> String {
    guest(name, &format!("(uuid {UUID}) {more}"))
}

fn op(daemon: &Daemon, name: &str, form: &str) -> Answer {
    daemon.post(&format!("/xend/domain/{name}"), form)
}

fn config_file(daemon: &Daemon) -> PathBuf {
    daemon.dir.path().join(format!("state/domains/{UUID}/config.sxp"))
}

fn halted(daemon: &Daemon) -> String {
    daemon.get("/xend/domain?state=halted").text()
}

#[test]
fn a_definition_survives_destroys_and_restarts() {
    let daemon = Daemon::start(&[]);
    assert_eq!(define(&daemon, &managed("web", "")).status(), "200 OK");
    assert_eq!(halted(&daemon), "(web)");
    assert_eq!(daemon.get("/xend/domain").text(), "(Domain-0)");
    let daemon = daemon.killed_and_restarted();
    assert_eq!(halted(&daemon), "(web)");
    assert_eq!(op(&daemon, "web", "op=start&paused=1").status(), "202 Accepted");
    assert!(daemon.value("web", "state").contains('p'));
    assert_eq!(op(&daemon, "web", "op=delete").code, 500, "the domain runs");
    let daemon = daemon.killed_and_restarted();
    assert_eq!(halted(&daemon), "()", "the domain is on the host");
    assert_eq!(op(&daemon, "web", "op=destroy").code, 202);
    assert_eq!(halted(&daemon), "(web)");
    assert_eq!(op(&daemon, "web", "op=delete").code, 202);
    assert!(!config_file(&daemon).parent().unwrap().exists());
    assert_eq!(daemon.killed_and_restarted().get("/xend/domain?state=all").text(), "(Domain-0)");
}

#[test]
fn an_answer_sent_back_changes_the_definition_and_not_the_running_domain() {
    let daemon = Daemon::start(&[]);
    let config = managed("web", "(device (vfb (type vnc) (vncpasswd secret)))");
    assert_eq!(daemon.create(&config).code, 201);
    op(&daemon, "web", "op=unpause");
    let domid = daemon.value("web", "domid");
    let shown = daemon.get("/xend/domain/web?detail=1").text();
    assert!(!shown.contains("secret"));
    let flipped = shown.replace("(on_xend_start ignore)", "(on_xend_start start)");
    assert_eq!(define(&daemon, &flipped).status(), "200 OK");
    assert_eq!(daemon.value("web", "domid"), domid);
    let stored = std::fs::read_to_string(config_file(&daemon)).unwrap();
    assert!(stored.contains("(on_xend_start start)") && stored.contains("secret"), "{stored}");
    // The new definition takes effect with the next start.
    op(&daemon, "web", "op=destroy");
    assert_eq!(daemon.value("web", "on_xend_start"), "start");
}

#[test]
fn domains_start_and_stop_with_xend() {
    let daemon = Daemon::start(&[]);
    let named = |n: u32, name: &str, start: &str, stop: &str| {
        let uuid = format!("(uuid 11111111-2222-3333-4444-55555555000{n})");
        guest(name, &format!("{uuid} (on_xend_start {start}) (on_xend_stop {stop})"))
    };
    for (n, name, start, stop) in [
        (1, "a", "start", "shutdown"),
        (2, "b", "start", "suspend"),
        (3, "c", "ignore", "shutdown"),
        (4, "d", "start", "ignore"),
    ] {
        assert_eq!(define(&daemon, &named(n, name, start, stop)).code, 200);
        assert_eq!(op(&daemon, name, "op=start").code, 202);
    }
    let domid = daemon.value("d", "domid");
    let (status, dir) = daemon.end(Signal::TERM);
    assert!(status.success());
    let daemon = Daemon::start_in(dir, &[]);
    daemon.until("a and b start", |daemon| daemon.get("/xend/domain").text() == "(Domain-0 a b d)");
    assert_eq!(halted(&daemon), "(c)");
    assert_eq!(daemon.value("d", "domid"), domid, "the domain ran on");
    assert!(daemon.log().contains("Done as xend starts or stops"));
}

#[test]
fn a_damaged_definition_is_set_aside_and_the_others_are_loaded() {
    let daemon = Daemon::start(&[]);
    assert_eq!(define(&daemon, &managed("web", "")).code, 200);
    assert_eq!(define(&daemon, &guest("db", "")).code, 200);
    let file = config_file(&daemon);
    std::fs::write(&file, "(domain (name web) (memory").unwrap();
    let daemon = daemon.killed_and_restarted();
    assert_eq!(halted(&daemon), "(db)");
    let damaged = || {
        let mut names = std::fs::read_dir(file.parent().unwrap()).unwrap();
        names.any(|one| one.unwrap().file_name().to_str().unwrap().contains(".sxp.damaged-"))
    };
    assert!(!file.exists() && damaged());
    assert!(daemon.log().contains("config.sxp") && daemon.log().contains("set aside"));
    // The domain can be defined again; the damaged file stays.
    assert_eq!(define(&daemon, &managed("web", "")).code, 200);
    assert_eq!(op(&daemon, "web", "op=delete").code, 202);
    assert!(damaged());
}

#[test]
fn a_name_or_uuid_belongs_to_one_domain() {
    let daemon = Daemon::start(&[]);
    assert_eq!(define(&daemon, &managed("web", "")).code, 200);
    assert_eq!(define(&daemon, &managed("web", "(description again)")).code, 200);
    let other = "(uuid 11111111-2222-3333-4444-666666666666)";
    assert!(define(&daemon, &guest("web", other)).text().contains("already exists"));
    assert!(daemon.create(&guest("web", other)).text().contains("already exists"));
    assert!(daemon.create(&managed("web2", "")).text().contains("already exists"));
    // A definition cannot take another domain's UUID, nor change its name: `rename` does.
    let taken = format!("A domain with UUID {UUID} already exists: \"web\"");
    let said = define(&daemon, &managed("web2", "")).text();
    assert!(said.contains(&taken) && !said.contains("web2"), "{said}");
    assert_eq!(halted(&daemon), "(web)");
    assert_eq!(op(&daemon, "web", "op=rename&name=web2").code, 202);
    assert_eq!(halted(&daemon), "(web2)");
    // A configuration without a UUID is that of the domain with its name.
    assert_eq!(daemon.create(&guest("web2", "(description once)")).code, 201);
    assert_eq!(daemon.value("web2", "uuid"), UUID);
    let domid = daemon.value("web2", "domid");
    let taken = format!("A domain with UUID {UUID} already exists: \"web2\" with ID {domid}");
    let said = define(&daemon, &managed("web3", "")).text();
    assert!(said.contains(&taken) && !said.contains("web3"), "{said}");
    assert_eq!(op(&daemon, "web2", "op=destroy").code, 202);
    assert_eq!(daemon.value("web2", "description"), "again", "the definition is unchanged");
}

#[test]
fn a_suspended_domain_is_on_disk_until_resume_or_destroy() {
    let daemon = Daemon::start(&[]);
    assert_eq!(define(&daemon, &managed("web", "")).code, 200);
    assert!(op(&daemon, "web", "op=suspend").text().contains("is not started"));
    assert!(op(&daemon, "web", "op=resume").text().contains("it is halted"));
    op(&daemon, "web", "op=start");
    op(&daemon, "web", "op=mem_target_set&target=48");
    assert_eq!(op(&daemon, "web", "op=suspend").code, 202);
    let daemon = daemon.killed_and_restarted();
    assert_eq!(daemon.get("/xend/domain?state=suspended").text(), "(web)");
    assert_eq!(halted(&daemon), "()");
    for form in ["op=start", "op=delete", "op=pause"] {
        assert_eq!(op(&daemon, "web", form).code, 500, "{form}");
    }
    assert_eq!(op(&daemon, "web", "op=resume").code, 202);
    assert!(!daemon.value("web", "state").contains('p'));
    // A domain that is not managed can be saved, but not suspended.
    daemon.create(&guest("other", ""));
    op(&daemon, "other", "op=unpause");
    assert!(op(&daemon, "other", "op=suspend").text().contains("is not managed"));
    // Destroy discards the saved memory.
    assert_eq!(op(&daemon, "web", "op=suspend").code, 202);
    assert_eq!(op(&daemon, "web", "op=destroy").code, 202);
    assert_eq!(halted(&daemon), "(web)");
}

#[test]
fn a_failed_save_leaves_the_domain_running_and_no_file() {
    let daemon = Daemon::start(&[]);
    let file = daemon.dir.path().join("saved");
    let save =
        |name: &str, file: &str| op(&daemon, name, &format!("op=save&file={}", encoded(file)));
    daemon.create(&guest("savefails", ""));
    op(&daemon, "savefails", "op=unpause");
    let before = std::fs::read_dir(daemon.dir.path()).unwrap().count();
    let answer = save("savefails", file.to_str().unwrap());
    assert_eq!(answer.status(), "500 Request failed: save");
    assert!(!daemon.value("savefails", "state").contains(['s', 'p']));
    assert_eq!(std::fs::read_dir(daemon.dir.path()).unwrap().count(), before);
    for (file, reason) in [
        ("", "not an absolute path"),
        ("x", "not an absolute path"),
        ("/nosuch/x", "does not exist"),
        ("/dev/null", "not a file"),
    ] {
        let answer = save("savefails", file);
        assert!(answer.code == 500 && answer.text().contains(reason), "{file}: {}", answer.text());
    }
    assert!(save("0", "/x").text().contains("privileged"));
}

#[test]
fn a_large_save_shows_its_progress() {
    let daemon = Daemon::start(&[]);
    let config = guest("saveslow", "").replace("(memory 64)", "(memory 256)");
    assert_eq!(daemon.create(&config).code, 201);
    op(&daemon, "saveslow", "op=unpause");
    let file = daemon.dir.path().join("saved");
    let form = format!("op=save&file={}", encoded(file.to_str().unwrap()));
    std::thread::scope(|scope| {
        let saving = scope.spawn(|| op(&daemon, "saveslow", &form));
        let page = b"GET /xend/domain/saveslow HTTP/1.1\r\nHost: localhost\r\n\
                     Accept: text/html\r\nUser-Agent: x\r\n\r\n";
        daemon.until("the page shows the save", |daemon| {
            ask(&Listener::Tcp(daemon.tcp), page).text().contains("Operation in progress")
        });
        assert_eq!(saving.join().unwrap().code, 202);
    });
    assert!(daemon.log().contains("percent"), "{}", daemon.log());
    assert!(daemon.domain("saveslow").is_none() && file.exists());
}

/// A guest that is saved suspends itself at once.
#[test]
fn a_domain_that_is_being_saved_is_never_shown_as_suspended() {
    let daemon = Daemon::start(&[]);
    let config = guest("saveslow", "").replace("(memory 64)", "(memory 128)");
    daemon.create(&config);
    op(&daemon, "saveslow", "op=unpause");
    let file = daemon.dir.path().join("saved");
    let form = format!("op=save&file={}", encoded(file.to_str().unwrap()));
    let mut shown = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        let saving = scope.spawn(|| op(&daemon, "saveslow", &form));
        while !saving.is_finished() {
            for page in ["/xend/domain/saveslow", "/xend/domain?page=1&name=saveslow"] {
                let page = open_page(&daemon, page).text();
                let badge = page.split("<span class=\"badge ").nth(1);
                shown.extend(badge.and_then(|badge| badge.split('"').next()).map(str::to_owned));
            }
        }
        assert_eq!(saving.join().unwrap().code, 202);
    });
    assert!(shown.contains("saving") && !shown.contains("suspended"), "{shown:?}");
}

#[test]
fn a_restored_domain_is_the_saved_one() {
    let daemon = Daemon::start(&[]);
    let file = daemon.dir.path().join("saved");
    let path = encoded(file.to_str().unwrap());
    daemon.create(&guest("web", "(device (vfb (vnc 1) (vncpasswd secret)))"));
    op(&daemon, "web", "op=unpause");
    let uuid = daemon.value("web", "uuid");
    assert_eq!(op(&daemon, "web", &format!("op=save&file={path}")).status(), "202 Accepted");
    assert!(daemon.domain("web").is_none());
    let restored = daemon.post("/xend/domain", &format!("op=restore&file={path}&paused=1"));
    assert_eq!((restored.status().as_str(), restored.text().as_str()), ("201 Created", ""));
    assert!(restored.header("location").unwrap().ends_with("/xend/domain/web"));
    assert!(daemon.value("web", "state").contains('p'));
    assert!(!daemon.get("/xend/domain/web").text().contains("secret"));
    assert_eq!(daemon.value("web", "uuid"), uuid);
    let again = daemon.post("/xend/domain", &format!("op=restore&file={path}"));
    assert!(
        again.code == 500 && again.text().contains("already exists with ID"),
        "{}",
        again.text()
    );
    op(&daemon, "web", "op=destroy");
    // Truncated and damaged files are refused and leave no domain behind.
    let good = std::fs::read(&file).unwrap();
    for (n, cut) in [0, 10, 19, 100, good.len() / 2, good.len() - 1].into_iter().enumerate() {
        std::fs::write(&file, &good[..cut]).unwrap();
        assert_eq!(
            daemon.post("/xend/domain", &format!("op=restore&file={path}")).code,
            500,
            "{n}"
        );
        assert!(daemon.domain("web").is_none());
    }
    let mark = good.windows(8).position(|bytes| bytes == b"xend-rs ").unwrap();
    for flipped in [0, 10, 19, mark, mark + 8, good.len() - 1] {
        let mut file_bytes = good.clone();
        file_bytes[flipped] ^= 1;
        std::fs::write(&file, file_bytes).unwrap();
        assert_eq!(
            daemon.post("/xend/domain", &format!("op=restore&file={path}")).code,
            500,
            "byte {flipped} damaged"
        );
        assert!(daemon.domain("web").is_none());
    }
}

/// Tools for disposable machines overwrote the identity in the file.
#[test]
fn a_saved_domain_with_an_edited_identity_is_restored_with_it() {
    const OTHER: &str = "99999999-2222-3333-4444-555555555555";
    let daemon = Daemon::start(&[]);
    let file = daemon.dir.path().join("saved");
    let path = encoded(file.to_str().unwrap());
    let mac = "(device (vif (mac 00:16:3e:00:00:01) (ip 10.0.0.1) (bridge xenbr0)))";
    daemon.create(&guest("web", &format!("(uuid {UUID}) {mac}")));
    op(&daemon, "web", "op=unpause");
    assert_eq!(op(&daemon, "web", &format!("op=save&file={path}")).status(), "202 Accepted");
    let mut saved = std::fs::read(&file).unwrap();
    let edits = [
        (UUID, OTHER),
        ("(name web)", "(name dvm)"),
        ("00:16:3e:00:00:01", "00:16:3e:00:00:09"),
        ("10.0.0.1)", "10.0.0.9)"),
    ];
    for (old, new) in edits {
        let at =
            saved[..4096].windows(old.len()).position(|bytes| bytes == old.as_bytes()).unwrap();
        saved[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
    std::fs::write(&file, &saved).unwrap();
    let restored = daemon.post("/xend/domain", &format!("op=restore&file={path}"));
    assert_eq!(restored.code, 201, "{}", restored.text());
    assert_eq!(daemon.value("dvm", "uuid"), OTHER);
    let shown = daemon.get("/xend/domain/dvm").text();
    assert!(
        shown.contains("(mac 00:16:3e:00:00:09)") && shown.contains("(ip 10.0.0.9)"),
        "{shown}"
    );
    assert!(daemon.domain("web").is_none());
    assert!(daemon.log().contains("does not fit its checksum"), "{}", daemon.log());
    // An unreadable edit is refused.
    let at = saved.windows(8).position(|bytes| bytes == b"(memory ").unwrap();
    saved[at] = b' ';
    std::fs::write(&file, &saved).unwrap();
    let refused = daemon.post("/xend/domain", &format!("op=restore&file={path}"));
    assert!(
        refused.code == 500 && refused.text().contains("changed by hand"),
        "{}",
        refused.text()
    );
}

/// The devices of a restored domain keep their UUIDs. A copy beside the original gets new ones.
#[test]
fn a_copy_of_a_saved_domain_has_new_device_uuids() {
    const OTHER: &str = "99999999-2222-3333-4444-555555555555";
    let daemon = Daemon::start(&[]);
    let file = daemon.dir.path().join("saved");
    let path = encoded(file.to_str().unwrap());
    let mac = "(device (vif (mac 00:16:3e:00:00:01) (bridge xenbr0)))";
    daemon.create(&guest("web", &format!("(uuid {UUID}) {mac}")));
    op(&daemon, "web", "op=unpause");
    let devices = |name: &str| -> Vec<String> {
        let shown = daemon.get(&format!("/xend/domain/{name}")).text();
        let mut uuids: Vec<String> =
            shown.split("(uuid ").skip(1).map(|rest| rest[..36].to_owned()).collect();
        uuids.retain(|uuid| ![UUID, OTHER].contains(&uuid.as_str()));
        uuids.sort();
        uuids
    };
    let before = devices("web");
    assert!(before.len() >= 3, "{before:?}");
    assert_eq!(op(&daemon, "web", &format!("op=save&file={path}")).status(), "202 Accepted");
    let restore = || daemon.post("/xend/domain", &format!("op=restore&file={path}"));
    assert_eq!(restore().code, 201);
    assert_eq!(devices("web"), before);
    let mut saved = std::fs::read(&file).unwrap();
    for (old, new) in
        [(UUID, OTHER), ("(name web)", "(name dvm)"), ("00:16:3e:00:00:01", "00:16:3e:00:00:09")]
    {
        let at =
            saved[..4096].windows(old.len()).position(|bytes| bytes == old.as_bytes()).unwrap();
        saved[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
    std::fs::write(&file, &saved).unwrap();
    let restored = restore();
    assert_eq!(restored.code, 201, "{}", restored.text());
    let copied = devices("dvm");
    assert_eq!(copied.len(), before.len());
    assert!(!copied.iter().any(|uuid| before.contains(uuid)), "{copied:?} {before:?}");
    assert_eq!(devices("web"), before);
}

#[test]
fn the_console_of_a_guest_is_shown() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web", ""));
    assert_eq!(daemon.get("/xend/domain/web/console").text(), "");
    op(&daemon, "web", "op=unpause");
    daemon.until("it boots", |daemon| {
        daemon.get("/xend/domain/web/console").text().contains("web login:")
    });
    let answer = daemon.get("/xend/domain/web/console");
    assert_eq!((answer.code, answer.header("content-type")), (200, Some("text/plain")));
    assert_eq!(daemon.get("/xend/domain/nosuch/console").status(), "404 Not found");
    assert_eq!(daemon.get("/xend/domain/0/console").code, 500);
    assert_eq!(daemon.post("/xend/domain/web/console", "op=clear").code, 501);
}

#[test]
fn of_stored_definitions_with_one_name_the_same_one_is_used_each_time() {
    let mut daemon = Daemon::start(&[]);
    define(&daemon, &managed("web", ""));
    let text = std::fs::read_to_string(config_file(&daemon)).unwrap();
    for first in '2'..='9' {
        let uuid = UUID.replacen('1', &first.to_string(), 1);
        let dir = daemon.dir.path().join(format!("state/domains/{uuid}"));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("config.sxp"), text.replace(UUID, &uuid)).unwrap();
    }
    for _ in 0..3 {
        daemon = daemon.killed_and_restarted();
        assert_eq!(halted(&daemon), "(web)");
        assert_eq!(daemon.value("web", "uuid"), UUID);
    }
}

/// What is accepted is read again at the next start.
#[test]
fn values_that_no_definition_can_have_are_refused() {
    let daemon = Daemon::start(&[]);
    assert_eq!(define(&daemon, &managed("web", "")).code, 200);
    assert_eq!(daemon.create(&guest("run", "")).code, 201);
    let huge = u64::MAX;
    for name in ["web", "run"] {
        for (form, field) in [
            (format!("op=maxmem_set&memory={huge}"), "memory: "),
            (format!("op=maxmem_set&memory={}", (1_u64 << 32) + 1), "memory: "),
            (
                format!(
                    "op=cpu_sedf_set&period={huge}&slice={huge}&latency=0&extratime=0&weight=0"
                ),
                "period: ",
            ),
            ("op=pincpu&vcpu=0&cpumap=%5e0".to_owned(), "cpumap: "),
        ] {
            let refused = op(&daemon, name, &form);
            assert_eq!(refused.code, 500, "{name} {form}: {}", refused.text());
            assert!(refused.text().contains(field), "{name} {form}: {}", refused.text());
        }
        let largest = format!("op=maxmem_set&memory={}", 1_u64 << 32);
        assert_eq!(op(&daemon, name, &largest).code, 200, "{name}");
    }
    let daemon = daemon.killed_and_restarted();
    assert_eq!(daemon.get("/xend/domain?state=all").text(), "(Domain-0 run web)");
    assert!(!daemon.log().contains("damaged"), "{}", daemon.log());
}
