//! A host whose domains start and stop with it, by `xm xendomains`.

use crate::http_support::{Daemon, guest};
use crate::xm_support::{Printed, Xm};
use std::fs;
use std::path::PathBuf;

/// A host with the file of variables and its directories.
pub(crate) struct Host {
    pub daemon: Daemon,
}

impl Host {
    /// `variables` come behind those of the directories.
    pub(crate) fn new(variables: &str) -> Self {
        Self::of(Daemon::start(&[]), variables)
    }

    pub(crate) fn of(daemon: Daemon, variables: &str) -> Self {
        let host = Self { daemon };
        fs::create_dir(host.path("auto")).unwrap();
        host.set(variables);
        host
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.daemon.dir.path().join(name)
    }

    pub(crate) fn set(&self, variables: &str) {
        let text = format!(
            "# The host's domains\nXENDOMAINS_SAVE={}\nXENDOMAINS_AUTO='{}' # links\n\
             XENDOMAINS_RESTORE=true\n{variables}",
            self.path("save").display(),
            self.path("auto").display()
        );
        fs::write(self.path("xendomains"), text).unwrap();
    }

    /// Writes a file whose domain starts with the host.
    pub(crate) fn auto(&self, file: &str, text: &str) {
        fs::write(self.path("auto").join(file), text).unwrap();
    }

    pub(crate) fn run(&self, action: &str) -> Printed {
        let xm = Xm(&self.daemon);
        xm.run(&format!("xendomains {action} --config WORK/xendomains --lockfile WORK/run/lock"))
    }

    /// Runs it without a failure. It gives the lines.
    pub(crate) fn good(&self, action: &str) -> Vec<String> {
        self.run(action).good().lines().map(str::to_owned).collect()
    }

    /// Runs it with failures. It gives the lines that are printed, and those of the errors.
    pub(crate) fn bad(&self, action: &str, status: i32) -> (Vec<String>, Vec<String>) {
        let printed = self.run(action);
        assert_eq!(printed.status, status, "{action}: {printed:?}");
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        (lines(&printed.out), lines(&printed.err))
    }

    pub(crate) fn domid(&self, name: &str) -> Option<String> {
        self.daemon.domain(name)?.value("domid")?.as_str().map(str::to_owned)
    }

    /// Waits until guests have booted, so that they hear what they are told.
    pub(crate) fn booted(&self, names: &[&str]) {
        for name in names {
            self.daemon
                .until("the guest boots", |daemon| daemon.value(name, "state").ends_with("b----"));
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.path("run/lock").exists()
    }

    /// The saved domains, hidden files included.
    pub(crate) fn saved(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("save")).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

/// A file of xm.
pub(crate) const WEB: &str = "kernel = '/k'\nname = 'web'\nmemory = 64\n";

/// A host that has started `web`, a file of xm, and `db`, an S-expression.
pub(crate) fn started(variables: &str) -> Host {
    let host = Host::new(variables);
    host.auto("10-web.cfg", WEB);
    host.auto("20-db", &guest("db", ""));
    assert_eq!(host.good("start"), ["web is started", "db is started"]);
    host.booted(&["web", "db"]);
    host
}

/// Lines as they are printed.
pub(crate) fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}
