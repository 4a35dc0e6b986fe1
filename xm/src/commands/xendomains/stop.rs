//! When the host stops: each domain gets keys of `SysRq`, and is migrated, saved or shut down,
//! whatever succeeds first.

use super::super::migrate;
use super::super::signals::send_sysrq;
use super::auto;
use super::report::Report;
use super::saved::place;
use super::settings::{Settings, Shutdown, migration_words};
use super::start::is_for_xend_to_start;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::gateway::Gateway;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often xend is asked whether domains have stopped.
const INTERVAL: Duration = Duration::from_millis(200);

/// The name that Xen gives to the domain of XenStore, without which nothing can be stopped.
const XENSTORE: &str = "Xenstore";

/// Stops the domains.
pub(super) fn stop(
    context: &Context,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Failure> {
    let steps = Steps {
        gateway: &context.gateway,
        limited: context.gateway.with_limit(settings.limit.unwrap_or(Duration::MAX)),
        settings,
    };
    let guests = guests(steps.gateway)?;
    let only = match (settings.auto_only, &settings.auto) {
        (true, Some(directory)) => Some(auto::names(directory, report)),
        (true, None) => Some([].into()),
        (false, _) => None,
    };
    for domain in &guests {
        let name = domain.name();
        if only.as_ref().is_some_and(|only| !only.contains(name)) {
            report.done(format!("{name} is left alone: no file in XENDOMAINS_AUTO is its own"));
        } else if steps.is_for_xend_to_suspend(domain) {
            report.done(format!("{name} is left to xend, which suspends it (on_xend_stop)"));
        } else {
            steps.stop(domain, report);
        }
    }
    if let Some(how) = settings.shutdown_all {
        if let Err(failure) = steps.shut_all_down(how, report) {
            report.failed(format!("Not all domains are shut down: {failure}"));
        }
    }
    Ok(())
}

/// The domains on the host in the order of their domids, but those that it needs itself.
fn guests(gateway: &Gateway) -> Result<Vec<Domain>, Failure> {
    let mut domains = gateway.domains("all")?;
    domains.retain(|domain| {
        domain.domid().is_some_and(|domid| domid != 0) && domain.name() != XENSTORE
    });
    domains.sort_by_key(Domain::domid);
    Ok(domains)
}

/// Whether a domain has ended, and its memory is in use still.
fn is_zombie(domain: &Domain) -> bool {
    domain.state().ends_with('d')
}

struct Steps<'a> {
    gateway: &'a Gateway,
    /// The same xend, which has a limit for each step.
    limited: Gateway,
    settings: &'a Settings,
}

impl Steps<'_> {
    /// Whether xend keeps a domain.
    fn is_managed(&self, domain: &Domain) -> bool {
        let json = self.gateway.domain_json(domain.name());
        json.is_ok_and(|json| {
            json.get("managed").and_then(serde_json::Value::as_bool) == Some(true)
        })
    }

    fn is_for_xend_to_suspend(&self, domain: &Domain) -> bool {
        domain.text("on_xend_stop") == Some("suspend") && self.is_managed(domain)
    }

    fn stop(&self, domain: &Domain, report: &mut Report) {
        let name = domain.name();
        for letter in &self.settings.sysrq {
            if let Err(failure) = send_sysrq(&self.limited, name, *letter) {
                report.failed(format!("{name} has not got SysRq {letter}: {failure}"));
            }
            sleep(self.settings.after_sysrq);
        }
        if is_zombie(domain) {
            report.done(format!("{name} has ended, and is left alone"));
            return;
        }
        if !self.settings.migrate.is_empty() {
            match self.in_time(name, || self.migrate(name)) {
                Ok(()) => return report.done(format!("{name} is migrated")),
                Err(failure) if failure.is_no_such_domain() => return gone(name, report),
                Err(failure) => report.failed(format!("{name} is not migrated: {failure}")),
            }
        }
        if let Some(directory) = &self.settings.save {
            if is_for_xend_to_start(domain) && self.is_managed(domain) {
                // The saved state would be older than what the disks have got since.
                report.done(format!("{name} is not saved: xend starts it anew (on_xend_start)"));
            } else {
                match self.in_time(name, || self.save(name, directory, report)) {
                    Ok(()) => return report.done(format!("{name} is saved")),
                    Err(failure) if failure.is_no_such_domain() => return gone(name, report),
                    Err(failure) => report.failed(format!("{name} is not saved: {failure}")),
                }
            }
        }
        if let Some(how) = self.settings.shutdown {
            match self.shut_down(name, how) {
                Err(failure) if !failure.is_no_such_domain() => {
                    report.failed(format!("{name} is not shut down: {failure}"));
                }
                _ if how.waits => report.done(format!("{name} is shut down")),
                _ => report.done(format!("{name} is told to shut down")),
            }
        }
    }

    /// Carries out a migration or a save. One that takes too long is cancelled: the domain goes on.
    fn in_time(
        &self,
        name: &str,
        step: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let done = step();
        if done.is_err() && self.settings.limit.is_some_and(|limit| begun.elapsed() >= limit) {
            // It may have come to its end meanwhile.
            let _ = self.limited.operate_on(name, "cancel", &[]);
        }
        done
    }

    fn migrate(&self, name: &str) -> Result<(), Failure> {
        let words = migration_words(name, &self.settings.migrate).map_err(Failure::new)?;
        migrate::migrate(&self.limited, &words)
    }

    fn save(&self, name: &str, directory: &Path, report: &Report) -> Result<(), Failure> {
        let (file, older) = place(directory, name)?;
        if let Some(older) = older {
            let older = older.display();
            report.done(format!("The file of {name} that was not restored is {older} now"));
        }
        let file = [("file", file.as_os_str().as_bytes())];
        self.limited.operate_with_bytes(Some(name), "save", &file).map(drop)
    }

    fn shut_down(&self, name: &str, how: Shutdown) -> Result<(), Failure> {
        self.limited.operate_on(name, "shutdown", &[("reason", how.mode.name())])?;
        if how.waits { self.wait(|domain| domain.name() == name) } else { Ok(()) }
    }

    /// Shuts down what is left, whatever file it has.
    fn shut_all_down(&self, how: Shutdown, report: &mut Report) -> Result<(), Failure> {
        let is_left = |domain: &Domain| !is_zombie(domain) && !self.is_for_xend_to_suspend(domain);
        for domain in guests(self.gateway)?.iter().filter(|domain| is_left(domain)) {
            let name = domain.name();
            let parameters = [("reason", how.mode.name())];
            match self.limited.operate_on(name, "shutdown", &parameters) {
                Err(failure) if !failure.is_no_such_domain() => {
                    report.failed(format!("{name} is not shut down: {failure}"));
                }
                _ => report.done(format!("{name} is told to shut down, as all domains are")),
            }
        }
        if how.waits { self.wait(is_left) } else { Ok(()) }
    }

    /// Waits until no such domain is left, zombies apart.
    fn wait(&self, is_left: impl Fn(&Domain) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let mut left = guests(&self.limited)?;
            left.retain(|domain| !is_zombie(domain) && is_left(domain));
            if left.is_empty() {
                return Ok(());
            }
            if let Some(limit) = self.settings.limit.filter(|limit| begun.elapsed() >= *limit) {
                let names: Vec<&str> = left.iter().map(Domain::name).collect();
                let seconds = limit.as_secs();
                let names = names.join(", ");
                return Err(Failure::new(format!("after {seconds} s there is still {names}")));
            }
            sleep(INTERVAL);
        }
    }
}

fn gone(name: &str, report: &Report) {
    report.done(format!("{name} has gone"));
}
