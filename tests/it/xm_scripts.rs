//! Shell scripts that read what xm prints, as people wrote them: `sexpr-fixtures/xm/scripts/`. Each
//! runs on a host of its own with the guests `web1` (running), `db1` (paused) and `parked`
//! (defined).

use crate::http_support::{Daemon, fixture};
use crate::xm_support::{Printed, Xm, program};
use std::process::{Command, Stdio};

fn guest(name: &str, memory: u32, vcpus: u32, mac: u32) -> String {
    format!(
        "name = '{name}'\nkernel = '/boot/vmlinuz'\nmemory = {memory}\nvcpus = {vcpus}\n\
         disk = ['phy:/dev/vg0/{name},xvda,w']\nvif = ['mac=00:16:3e:00:00:0{mac}']\n"
    )
}

fn host() -> Daemon {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("web1.cfg", &guest("web1", 128, 2, 1));
    xm.write("db1.cfg", &guest("db1", 256, 1, 2));
    xm.write("parked.cfg", &guest("parked", 64, 1, 3));
    xm.good("create -q web1.cfg");
    xm.good("create -q -p db1.cfg");
    xm.good("new -q parked.cfg");
    daemon.until("the guest boots", |daemon| {
        daemon.value("web1", "online_vcpus") == "2" && daemon.value("web1", "state") == "-b----"
    });
    daemon
}

#[test]
fn scripts_find_what_they_look_for() {
    let mut names: Vec<String> = std::fs::read_dir(fixture("xm/scripts"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().map(str::to_owned))
        .filter_map(|name| name.strip_suffix(".sh").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 10, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let daemon = host();
        let output = Command::new("sh")
            .arg(fixture(&format!("xm/scripts/{name}.sh")))
            .current_dir(daemon.dir.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", program().parent().unwrap().display()))
            .env("XM_SERVER", format!("unix:{}", daemon.socket().display()))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = Printed::of(&output);
        let expected = std::fs::read_to_string(fixture(&format!("xm/scripts/{name}.out"))).unwrap();
        if printed.out != expected || !printed.err.is_empty() {
            wrong.push(format!("{name}.sh:\n{}{}", printed.out, printed.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
