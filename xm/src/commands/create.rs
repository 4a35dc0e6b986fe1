//! `xm create` and `xm new`.

use super::config_file::{Source, find, read_named, split_overrides};
use super::console::{CONSOLE_AUTOCONNECT, VNCVIEWER, VNCVIEWER_AUTOPASS, autoconnect};
use super::variables::variables;
use crate::cli::command::Command;
use crate::cli::option::{ANY, OptionSpec, flag, long_flag, long_option, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::output::{note, print, print_line, print_pretty};
use std::path::Path;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "create",
        "<ConfigFile> [options] [vars]",
        "Create a domain from a configuration file.",
        (0, ANY),
        create,
    )
    .common()
    .of_files()
    .with(OPTIONS),
    Command::new(
        "new",
        "<ConfigFile> [options] [vars]",
        "Let xend keep a domain, to be started later.",
        (0, ANY),
        |context, words| {
            let Some(config) = configuration(words)? else { return Ok(()) };
            context.gateway.configure(None, "new", &config, &[]).map(drop)
        },
    )
    .common()
    .of_files()
    .with(OPTIONS),
];

const OPTIONS: &[OptionSpec] = &[
    long_flag("help_config", "Print the variables of configuration files"),
    flag('q', "quiet", "Print errors only"),
    long_option("path", "PATH", "Search path for configuration files, directories and colons"),
    option('f', "defconfig", "FILE", "Use the given configuration file of xm or xl"),
    option('F', "config", "FILE", "Use a configuration file that is an S-expression"),
    flag('n', "dryrun", "Print the configuration as an S-expression, and create nothing"),
    flag('x', "xmldryrun", "Print the configuration as XML; not offered today"),
    flag('s', "skipdtd", "Without effect today"),
    flag('p', "paused", "Leave the domain paused"),
    CONSOLE_AUTOCONNECT,
    VNCVIEWER,
    VNCVIEWER_AUTOPASS,
];

/// The configuration that the command line names; `None` if all is done.
fn configuration(words: &Words) -> Result<Option<Sxp>, Failure> {
    if words.has("help_config") {
        print(variables())?;
        return Ok(None);
    }
    if words.has("xmldryrun") {
        return Err(Failure::not_offered(
            "XML was for the Xen-API's VM.create, and is not made any more: -n prints the \
             S-expression that create and new take (-F)",
        ));
    }
    let config = match words.file_value("config") {
        Some(file) => {
            warn_of_unused(words);
            expression(file)?
        }
        None => converted(words)?,
    };
    if words.has("dryrun") {
        print_pretty(&config)?;
        return Ok(None);
    }
    Ok(Some(config))
}

/// Names what an S-expression leaves without effect.
fn warn_of_unused(words: &Words) {
    if let (Some(unused), false) = (unused(words), words.has("quiet")) {
        note(format!("Warning: without effect beside -F: {unused}"));
    }
}

fn unused(words: &Words) -> Option<String> {
    let options = ["defconfig", "path"].into_iter().filter(|option| words.has(option));
    let options = options.map(|option| format!("--{option}"));
    let all: Vec<String> = options.chain(words.arguments().iter().cloned()).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// The configuration in a file that is an S-expression.
fn expression(file: &Path) -> Result<Sxp, Failure> {
    let text = read_named(file, "Unable to open config file")?;
    let config = Source { path: file.to_owned(), text }.expression()?;
    let file = file.display();
    if !matches!(config.head(), Some("vm" | "domain" | "config")) {
        let advice = "a file of xm or xl is named without -F";
        return Err(Failure::new(format!("{file} is not the S-expression of a domain: {advice}")));
    }
    Ok(config)
}

/// The configuration in a file of xm or xl.
fn converted(words: &Words) -> Result<Sxp, Failure> {
    let (overrides, others) = split_overrides(words.given())?;
    let file = match (words.file_value("defconfig"), others.as_slice()) {
        (Some(file), []) => file,
        (None, [file]) => file,
        (None, []) => return Err(Failure::new("No configuration file is named")),
        _ => return Err(Failure::new("Only one configuration file can be named")),
    };
    let source = find(file, words.file_value("path"))?;
    let path = source.path.display();
    if !words.has("quiet") {
        print_line(source.using())?;
    }
    let converted = source.convert(&overrides).map_err(|failure| {
        if source.is_expression() {
            Failure::new(format!("{path} is an S-expression: name it with -F"))
        } else {
            failure
        }
    })?;
    if !words.has("quiet") {
        for warning in &converted.warnings {
            note(format!("Warning: {path}: {warning:#}"));
        }
    }
    Ok(converted.config)
}

fn create(context: &Context, words: &Words) -> Result<(), Failure> {
    let Some(config) = configuration(words)? else { return Ok(()) };
    let created = build(&context.gateway, &config, words.has("paused"))?;
    if !words.has("quiet") {
        print_line(format!("Started domain {} (id={})", created.name(), created.domid_text()))?;
    }
    autoconnect(&context.gateway, created.name(), words)
}

/// Builds a domain, waits for its devices, and lets it run unless it is to stay paused.
pub(super) fn build(gateway: &Gateway, config: &Sxp, paused: bool) -> Result<Domain, Failure> {
    let created = gateway.configure(None, "create", config, &[])?;
    let created = Domain::read(created.unwrap_or_else(|| Sxp::list([])))?;
    let name = created.name();
    let started = gateway.operate_on(name, "wait_for_devices", &[]).and_then(|_| {
        if paused {
            return Ok(None);
        }
        gateway.operate_on(name, "unpause", &[])
    });
    if let Err(failure) = started {
        // A domain whose devices do not connect is of no use.
        let _ = gateway.operate_on(name, "destroy", &[]);
        return Err(failure);
    }
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_expression_leaves_without_effect_is_named() {
        let unused_of = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            unused(&COMMANDS[0].read(&words).unwrap())
        };
        assert_eq!(unused_of("-F pv.sxp"), None);
        assert_eq!(unused_of("-F pv.sxp name=foo -f a").as_deref(), Some("--defconfig name=foo"));
        assert_eq!(unused_of("-F pv.sxp pv.cfg").as_deref(), Some("pv.cfg"));
    }
}
