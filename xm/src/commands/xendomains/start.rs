//! When the host starts: saved domains are restored, and those of the directory `auto` are started.

use super::super::create;
use super::auto::{self, AutoDomain};
use super::report::Report;
use super::saved::{self, Kind, SavedFile};
use super::settings::Settings;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::sleep;

/// Restores and starts domains.
pub(super) fn start(
    context: &Context,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Failure> {
    let known = context.gateway.domains("all")?;
    let mut saved = BTreeSet::new();
    if let Some(directory) = settings.save.as_deref().filter(|_| settings.restore) {
        saved = restore_all(context, directory, &known, report);
    }
    for variable in &settings.without_directory {
        report.failed(format!("The domains of {variable} are not started: correct the variable"));
    }
    let Some(directory) = &settings.auto else { return Ok(()) };
    for domain in auto::domains(directory, report) {
        // One that could not be restored is the operator's to look at.
        if saved.contains(&domain.name) {
            report.done(format!("{} is not started, as it was saved", domain.name));
            continue;
        }
        match start_one(context, &domain) {
            Ok(Started::Now) => {
                report.done(format!("{} is started", domain.name));
                sleep(settings.after_create);
            }
            Ok(Started::Already) => report.done(format!("{} runs already", domain.name)),
            Ok(Started::ByXend) => {
                report.done(format!("{} is started by xend (on_xend_start)", domain.name));
            }
            Err(failure) => report.failed(format!("{} is not started: {failure}", domain.name)),
        }
    }
    Ok(())
}

/// Restores the domains of a directory. It gives the names of all that were saved.
fn restore_all(
    context: &Context,
    directory: &Path,
    known: &[Domain],
    report: &mut Report,
) -> BTreeSet<String> {
    let files = saved::saved(directory).unwrap_or_else(|failure| {
        report.failed(failure.to_string());
        Vec::new()
    });
    let mut names = BTreeSet::new();
    for file in files.into_iter().filter(|file| file.kind != Kind::Unknown) {
        let path = file.path.display();
        match restore(context, &file, known) {
            Ok(()) => report.done(format!("{} is restored", file.name)),
            Err(failure) => {
                report.failed(format!("{} is not restored, {path} is kept: {failure}", file.name));
                names.insert(file.name);
                continue;
            }
        }
        if let Err(error) = fs::remove_file(&file.path) {
            let failure = Failure::of_file("remove", &file.path, &error);
            report.failed(format!("{failure}. Remove it, it must not be restored again."));
        }
        names.insert(file.name);
    }
    names
}

fn restore(context: &Context, file: &SavedFile, known: &[Domain]) -> Result<(), Failure> {
    if file.kind == Kind::OfXl {
        return Err(Failure::new("xl saved it, use xl restore"));
    }
    if let Some(domain) = known.iter().find(|domain| domain.name() == file.name) {
        if domain.domid().is_some() {
            return Err(Failure::new("the domain runs already"));
        }
        if is_for_xend_to_start(domain) {
            return Err(Failure::new("xend starts the domain (on_xend_start)"));
        }
    }
    let parameters = [("file", file.path.as_os_str().as_bytes()), ("paused", b"0")];
    context.gateway.operate_with_bytes(None, "restore", &parameters).map(drop)
}

/// Whether xend starts a domain when it starts itself, if it keeps the domain.
pub(super) fn is_for_xend_to_start(domain: &Domain) -> bool {
    domain.text("on_xend_start") == Some("start")
}

enum Started {
    Now,
    Already,
    ByXend,
}

fn start_one(context: &Context, domain: &AutoDomain) -> Result<Started, Failure> {
    match context.gateway.domain(&domain.name) {
        Ok(known) if known.domid().is_some() => Ok(Started::Already),
        // A domain that is not on the host is one that xend keeps.
        Ok(known) if is_for_xend_to_start(&known) => Ok(Started::ByXend),
        Err(failure) if !failure.is_no_such_domain() => Err(failure),
        _ => create::build(&context.gateway, &domain.config, false).map(|_| Started::Now),
    }
}
