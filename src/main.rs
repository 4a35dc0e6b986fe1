//! The `xend` daemon and its tools: arguments, and what they ask for.

mod daemon;

use anyhow::{Context, Result};
use clap::Parser;
use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xend::auth;
use xend::bounded_file;
use xend::check::{self, Report};
use xend::cli::{
    Cli, Command, FleetCommand, FleetHost, GuardOptions, Running, ServiceCommand, UserCommand,
    options_beside_command,
};
use xend::config::{self, Config, Environment, RunOptions, Severity};
use xend::fleet_command;
use xend::guard_command;
use xend::server::telemetry;
use xend::sxp::{Limits, Reader, pretty};
use xend::user_command::{self, UserCommandError};

/// The exit status of [`clap`] for a command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if ServiceCommand::is_trace_start() {
        return failed(&anyhow::Error::msg(ServiceCommand::Start.advice()));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return wrong_usage(&error),
        Err(help) => return print_help(&help),
    };
    let result = match &cli.command {
        None if cli.run.check_config => check_config(&cli.run),
        None => Ok(daemon::serve(&cli.run)),
        Some(Command::Sxp { file }) => print_canonical(file.as_deref()),
        Some(Command::Keys { sample }) => {
            print(if *sample { config::sample_file() } else { config::reference() })
                .map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Check { files, strict }) => check(files, *strict),
        Some(Command::Convert { file }) => convert(file),
        Some(Command::User { file, command }) => user(file.as_deref(), command),
        Some(Command::Fleet { host, command }) => fleet(host, command),
        Some(Command::Guard { host, options }) => guard(host, options),
        Some(Command::Password { user }) => password_line(user),
        Some(Command::Service(ServiceCommand::Status)) => status(),
        Some(Command::Service(command)) => Err(anyhow::Error::msg(command.advice())),
    };
    result.unwrap_or_else(|error| failed(&error))
}

/// Prints to standard output.
fn print(text: impl AsRef<[u8]>) -> Result<()> {
    let mut out = io::stdout().lock();
    printed(out.write_all(text.as_ref()).and_then(|()| out.flush()))
}

/// What printing came to. A closed pipe (head) is not an error.
fn printed(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("Cannot write to standard output"),
    }
}

/// `--help` and `--version`, which show colours on a terminal.
fn print_help(help: &clap::Error) -> ExitCode {
    match printed(help.print().and_then(|()| io::stdout().flush())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// A command line that makes no sense.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    if let Some(advice) = options_beside_command(error) {
        telemetry::report_usage(&format!("xend: {advice}\n"));
        return ExitCode::from(USAGE);
    }
    if io::stderr().is_terminal() {
        error.exit();
    }
    telemetry::report_usage(&error.render().to_string());
    ExitCode::from(USAGE)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    print_error(format_args!("xend: {error:#}"));
    ExitCode::FAILURE
}

/// Prints a line to standard error, which may be closed.
fn print_error(line: impl Display) {
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// `xend status`, with the exit status of the old one.
fn status() -> Result<ExitCode> {
    // The options of a daemon without any, but for those of the environment.
    let options = Cli::try_parse_from(["xend"])?.run;
    let (config, _) = Config::load(&options, &Environment::of_this_process())?;
    let running = Running::of(&config);
    print(format!("{running}; {}\n", ServiceCommand::Status.advice()))?;
    Ok(ExitCode::from(running.exit_status()))
}

/// `xend --check-config`: prints the messages of a start, and what they come to.
fn check_config(options: &RunOptions) -> Result<ExitCode> {
    let environment = Environment::of_this_process();
    let mut errors = 0;
    let mut warnings = 0;
    let findings = daemon::check(options, &environment)?;
    for diagnostic in findings.diagnostics {
        match diagnostic.severity {
            Severity::Warning => {
                print_error(format_args!("Warning: {diagnostic}"));
                warnings += 1;
            }
            Severity::Error => {
                print_error(format_args!("Error: {diagnostic}"));
                errors += 1;
            }
        }
    }
    let file = match options.config_file(&environment) {
        Some(file) => file.display().to_string(),
        None => "No configuration file, defaults are used".to_owned(),
    };
    let rest = if findings.is_complete {
        ""
    } else {
        "; files, directories and listeners are checked when the errors are mended"
    };
    let counts = [counted(errors, "error"), counted(warnings, "warning")].join(", ");
    print(format!("{file}: {counts}{rest}\n"))?;
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `no errors`, `1 error`, `2 errors`
fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// `xend sxp`: prints each expression on a line of its own, in canonical form.
fn print_canonical(file: Option<&Path>) -> Result<ExitCode> {
    let (name, text) = if let Some(path) = file {
        (path.display().to_string(), read(path)?)
    } else {
        let text = bounded_file::read_to_end(io::stdin().lock(), Limits::STORED.bytes)
            .context("Cannot read standard input")?;
        ("-".to_owned(), text)
    };
    let mut out = io::stdout().lock();
    let mut reader = Reader::new(&text, &Limits::STORED);
    loop {
        match reader.next() {
            Ok(Some(expression)) => {
                let mut line = expression.to_bytes();
                line.push(b'\n');
                if let Err(error) = out.write_all(&line) {
                    return printed(Err(error)).map(|()| ExitCode::SUCCESS);
                }
            }
            Ok(None) => return printed(out.flush()).map(|()| ExitCode::SUCCESS),
            Err(error) => {
                printed(out.flush())?;
                print_error(format_args!("{name}:{}:{}: {error}", error.line(), error.column()));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
}

/// `xend user`: works on the accounts of the users file.
fn user(file: Option<&Path>, command: &UserCommand) -> Result<ExitCode> {
    match user_command::run(file, command, &Environment::of_this_process()) {
        Ok(output) => print(output).map(|()| ExitCode::SUCCESS),
        Err(UserCommandError::File(error)) => {
            print_error(error);
            Ok(ExitCode::FAILURE)
        }
        Err(UserCommandError::Other(error)) => Err(anyhow::Error::msg(error)),
    }
}

/// `xend fleet`: makes, joins, leaves and shows a fleet.
fn fleet(host: &FleetHost, command: &FleetCommand) -> Result<ExitCode> {
    let output = fleet_command::run(host, command, &Environment::of_this_process())?;
    print(output.text)?;
    Ok(if output.is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `xend guard`: guards protected domains.
fn guard(host: &FleetHost, options: &GuardOptions) -> Result<ExitCode> {
    guard_command::run(host, options, &Environment::of_this_process())?;
    Ok(ExitCode::SUCCESS)
}

/// The longest password with the end of its line, in bytes, and one more.
const MAX_PASSWORD: u64 = 1024 + 3;

/// `xend password`: prints a line for the password file.
fn password_line(user: &str) -> Result<ExitCode> {
    let mut password = String::new();
    let mut input = io::stdin().lock().take(MAX_PASSWORD);
    input.read_line(&mut password).context("Cannot read standard input")?;
    if input.limit() == 0 {
        return Err(anyhow::Error::msg("The password is longer than 1024 bytes"));
    }
    let line =
        auth::hashed(user, password.trim_end_matches(['\r', '\n'])).map_err(anyhow::Error::msg)?;
    print(format!("{line}\n")).map(|()| ExitCode::SUCCESS)
}

/// `xend check`: prints the mistakes of domain configurations, and what xend understands.
fn check(files: &[PathBuf], strict: bool) -> Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in files {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let report = check::check(&read(path)?, &file_name);
        let is_suspect = strict && !report.warnings.is_empty();
        if !print_report(path, report)? || is_suspect {
            status = ExitCode::FAILURE;
        }
    }
    Ok(status)
}

/// `xend convert`: prints the S-expression of another format.
fn convert(path: &Path) -> Result<ExitCode> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let report = check::convert(&read(path)?, &file_name);
    Ok(if print_report(path, report)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the warnings about a file, and its configuration or what is wrong with it. Tells whether
/// there is one.
fn print_report(path: &Path, report: Report) -> Result<bool> {
    let name = path.display();
    for warning in report.warnings {
        print_error(format_args!("{name}:{warning}"));
    }
    match report.config {
        Ok(config) => {
            print(format!("{}\n", pretty(&config, 100)))?;
            Ok(true)
        }
        Err(error) => {
            print_error(format_args!("{name}:{error}"));
            Ok(false)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    bounded_file::read(path, Limits::STORED.bytes)
        .with_context(|| format!("Cannot read {}", path.display()))
}
