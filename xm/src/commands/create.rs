//! `xm create` and `xm new`.

use super::config_file::{Source, find, read_file, split_overrides};
use super::console::{
    CONSOLE_AUTOCONNECT, VNCVIEWER, VNCVIEWER_AUTOPASS, autoconnect, check_autoconnect,
};
use crate::cli::command::Command;
use crate::cli::option::{ANY, OptionSpec, flag, long_flag, long_option, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::output::{note, print_line, print_pretty};
use xend_sxp::{Limits, Sxp, read_first};

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "create",
        "<ConfigFile> [options] [vars]",
        "Create a domain from a configuration file.",
        (0, ANY),
        create,
    )
    .common()
    .with(OPTIONS),
    Command::new(
        "new",
        "<ConfigFile> [options] [vars]",
        "Let xend keep a domain, to be started later.",
        (0, ANY),
        |context, words| {
            let Some(config) = configuration(words)? else { return Ok(()) };
            let config = config.to_string();
            context.gateway.operate("/xend/domain", "new", &[("config", &config)]).map(drop)
        },
    )
    .common()
    .with(OPTIONS),
];

const OPTIONS: &[OptionSpec] = &[
    long_flag("help_config", "Say where the variables are described"),
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
        let pages = "xmdomain.cfg(5), and xl.cfg(5) for the newer ones";
        print_line(format!("The variables of configuration files are described in {pages}."))?;
        return Ok(None);
    }
    if words.has("xmldryrun") {
        return Err(Failure::not_offered("XML is not made any more: -n prints an S-expression"));
    }
    check_autoconnect(words)?;
    let config = match words.value("config") {
        Some(file) => expression(file)?,
        None => converted(words)?,
    };
    if words.has("dryrun") {
        print_pretty(&config)?;
        return Ok(None);
    }
    Ok(Some(config))
}

/// The configuration in a file that is an S-expression.
fn expression(file: &str) -> Result<Sxp, Failure> {
    let text =
        read_file(file).map_err(|_| Failure::new(format!("Unable to open config file: {file}")))?;
    read_first(&text, &Limits::DEFAULT).map_err(|error| {
        let line = error.line();
        let column = error.column();
        Failure::new(format!("{file}: line {line}, column {column}: {error}"))
    })
}

/// The configuration in a file of xm or xl.
fn converted(words: &Words) -> Result<Sxp, Failure> {
    let (overrides, others) = split_overrides(words.arguments())?;
    let file = match (words.value("defconfig"), others.as_slice()) {
        (Some(file), []) => file,
        (None, [file]) => file,
        (None, []) => return Err(Failure::new("No configuration file is named")),
        _ => return Err(Failure::new("Only one configuration file can be named")),
    };
    let source = find(file, words.value("path"))?;
    if !words.has("quiet") {
        print_line(Source::using(&source.path))?;
    }
    let converted = source.convert(&overrides)?;
    if !words.has("quiet") {
        for warning in &converted.warnings {
            note(format!("Warning: {}: {warning:#}", source.path));
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
    let config = config.to_string();
    let created = gateway.operate("/xend/domain", "create", &[("config", &config)])?;
    let created = Domain::new(created.unwrap_or_else(|| Sxp::list([])));
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
