//! The command line.

use lexopt::prelude::{Long, Short, Value};
use std::ffi::OsString;
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Usage: xend-guest-agent [OPTION]...

Takes requests of the host through XenStore, carries them out in this guest, and reports what the
guest looks like from inside.

  --config FILE      the configuration file (/etc/xend-guest-agent.conf)
  --xenstore SOCKET  the device or socket of XenStore, in place of this machine's own
  --root DIR         the directory below which the guest's files are (/); if it is another one,
                     programs of the system are not run
  --shadow FILE      where passwords are (/etc/shadow below the root)
  --once             answer the requests that wait, report, and end
  --commands         print the documentation of all commands
  --check            read the configuration file, say what is wrong with it, and end
  --help, -h         print this
  --version, -V      print the version
";

/// What the agent is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    #[default]
    Run,
    Commands,
    Check,
    Help,
    Version,
}

/// The options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    pub action: Action,
    pub config: Option<PathBuf>,
    pub xenstore: Option<PathBuf>,
    /// `/` if `None`.
    pub root: Option<PathBuf>,
    pub shadow: Option<PathBuf>,
    pub once: bool,
}

impl Options {
    /// Reads the arguments that follow the program's name.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("config") => options.config = Some(path(&mut parser, "config")?),
                Long("xenstore") => options.xenstore = Some(path(&mut parser, "xenstore")?),
                Long("root") => options.root = Some(path(&mut parser, "root")?),
                Long("shadow") => options.shadow = Some(path(&mut parser, "shadow")?),
                Long("once") => options.once = true,
                Long("commands") => options.action = Action::Commands,
                Long("check") => options.action = Action::Check,
                Long("help") | Short('h') => options.action = Action::Help,
                Long("version") | Short('V') => options.action = Action::Version,
                Value(_) | Long(_) | Short(_) => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }
}

/// The value of an option that is a path.
fn path(parser: &mut lexopt::Parser, option: &str) -> Result<PathBuf, lexopt::Error> {
    let value = parser.value()?;
    if value.is_empty() {
        return Err(format!("the path of the option '--{option}' is empty").into());
    }
    Ok(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL: &str = include_str!("../dist/xend-guest-agent.8");

    fn parse(args: &[&str]) -> Result<Options, String> {
        Options::parse(args.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    /// The options that the help names.
    fn names() -> Vec<&'static str> {
        let lines = HELP.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        lines.map(|line| line.split([' ', ',']).next().unwrap()).collect()
    }

    #[test]
    fn the_help_and_the_manual_name_every_option() {
        assert_eq!(names().len(), 9);
        for name in names() {
            let given = parse(&[&format!("--{name}"), "x"]);
            // Those without a value find `x` too much.
            let accepted = given.is_ok() || given.unwrap_err().contains("argument \"x\"");
            assert!(accepted, "{name}");
            assert!(MANUAL.contains(&format!("\\fB\\-\\-{name}\\fR")), "{name}");
        }
    }

    #[test]
    fn options_are_read() {
        let options =
            parse(&["--xenstore=/s", "--root", "/r", "--shadow", "/h", "--once"]).unwrap();
        let expected = Options {
            xenstore: Some("/s".into()),
            root: Some("/r".into()),
            shadow: Some("/h".into()),
            once: true,
            ..Options::default()
        };
        assert_eq!(options, expected);
        for wrong in [&["--xenstor", "/s"][..], &["x"], &["-x"], &["--root"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(parse(&["-h"]).unwrap().action, Action::Help);
        assert_eq!(parse(&["-V"]).unwrap().action, Action::Version);
        assert_eq!(parse(&["--check"]).unwrap().action, Action::Check);
    }

    #[test]
    fn a_path_is_not_empty() {
        for option in ["config", "xenstore", "root", "shadow"] {
            let expected = format!("the path of the option '--{option}' is empty");
            assert_eq!(parse(&[&format!("--{option}"), ""]), Err(expected.clone()));
            assert_eq!(parse(&[&format!("--{option}=")]), Err(expected));
        }
    }
}
