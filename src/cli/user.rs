//! The command line of `xend user`.

use crate::core::model::Unit;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

/// What `xend user` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UserCommand {
    /// Add an account. Its password is read from the terminal, or from standard input
    Add {
        /// The name that the user logs in with
        name: String,

        /// Add an account without a password: for users of this machine on the unix socket
        #[arg(long, conflicts_with = "pam", requires = "uid")]
        no_password: bool,

        /// What the account is to have
        #[command(flatten)]
        account: AccountOptions,
    },
    /// Change an account. An option replaces what the account has; '' removes it
    Set {
        /// The name of the account
        name: String,

        /// What the account is to have
        #[command(flatten)]
        account: AccountOptions,
    },
    /// Set the password of an account. It is read from the terminal, or from standard input
    Password {
        /// The name of the account
        name: String,
    },
    /// Delete an account
    Del {
        /// The name of the account
        name: String,
    },
    /// Print all accounts
    List,
    /// Check the users file: print its mistakes, with line and column
    Check,
}

/// What an account has. `None` leaves it as it is; an empty value removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct AccountOptions {
    /// Domains of the user: names, patterns such as 'web*', UUIDs
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub domains: Option<Vec<String>>,

    /// Rights on these domains: see, power, console, media, devices, memory-and-cpus, configure,
    /// save, migrate, guest, create, host-facts; or all
    #[arg(long, value_name = "RIGHT,..", value_delimiter = ',')]
    pub rights: Option<Vec<String>>,

    /// Roles of the user, which the file must have
    #[arg(long, value_name = "ROLE,..", value_delimiter = ',')]
    pub role: Option<Vec<String>>,

    /// Users of this machine who have the account without a password
    #[arg(long, value_name = "UID,..", value_delimiter = ',')]
    pub uid: Option<Vec<String>>,

    /// Check passwords with PAM, as those of this machine's user of the same name
    #[arg(long)]
    pub pam: bool,

    /// Let the user do everything
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true, ignore_case = true,
        default_missing_value = "yes", value_parser = yes_or_no())]
    pub operator: Option<bool>,

    /// Limit of the number of domains
    #[arg(long, value_name = "N", value_parser = number)]
    pub max_domains: Option<String>,

    /// Limit of the memory of all domains together, in MiB
    #[arg(long, value_name = "MIB", value_parser = mebibytes)]
    pub max_memory: Option<String>,

    /// Limit of the VCPUs of all domains together
    #[arg(long, value_name = "N", value_parser = number)]
    pub max_vcpus: Option<String>,

    /// Beginnings of the paths that disks may have
    #[arg(long, value_name = "PLACE,..", value_delimiter = ',')]
    pub disks: Option<Vec<String>>,

    /// Bridges that network interfaces may be on
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub bridges: Option<Vec<String>>,

    /// Directories of kernels and RAM disks
    #[arg(long, value_name = "DIR,..", value_delimiter = ',')]
    pub kernels: Option<Vec<String>>,

    /// Directories of files to save to, restore from and dump to
    #[arg(long, value_name = "DIR,..", value_delimiter = ',')]
    pub files: Option<Vec<String>>,

    /// Hosts to migrate to
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub hosts: Option<Vec<String>>,
}

/// `yes` or `no`, or another word for it.
fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    let yes = PossibleValue::new("yes").aliases(["y", "true", "t", "on", "1"]);
    let no = PossibleValue::new("no").aliases(["n", "false", "f", "off", "0"]);
    let is_yes = yes.clone();
    PossibleValuesParser::new([yes, no]).map(move |word| is_yes.matches(&word, true))
}

/// A number of MiB; empty for none.
fn mebibytes(text: &str) -> Result<String, String> {
    number(text).map_err(|_| format!("'{text}' {}", Unit::Mebibytes.refusal(text)))
}

/// A number; empty for none.
fn number(text: &str) -> Result<String, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("Give a whole number".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;
    use std::path::PathBuf;

    fn parse(line: &[&str]) -> Result<(Option<PathBuf>, UserCommand), clap::Error> {
        let cli = Cli::try_parse_from(["xend", "user"].iter().chain(line))?;
        match cli.command {
            Some(Command::User { file, command }) => Ok((file, *command)),
            other => panic!("{other:?}"),
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let line =
            ["add", "steve", "--domains", "lj,one.my.*", "--rights=see,power", "--file", "f"];
        let (file, command) = parse(&line).unwrap();
        assert_eq!(file, Some("f".into()));
        let UserCommand::Add { name, no_password: false, account } = command else {
            panic!("{command:?}")
        };
        let wanted = AccountOptions {
            domains: Some(words(&["lj", "one.my.*"])),
            rights: Some(words(&["see", "power"])),
            ..AccountOptions::default()
        };
        assert_eq!((name.as_str(), account), ("steve", wanted));
    }

    #[test]
    fn an_empty_value_removes_and_an_operator_may_be_none() {
        let line = ["set", "a", "--domains", "", "--max-vcpus", "", "--operator=no"];
        let UserCommand::Set { account, .. } = parse(&line).unwrap().1 else { panic!() };
        let wanted = AccountOptions {
            domains: Some(words(&[""])),
            max_vcpus: Some(String::new()),
            operator: Some(false),
            ..AccountOptions::default()
        };
        assert_eq!(account, wanted);
        let UserCommand::Set { account, .. } = parse(&["set", "--operator", "a"]).unwrap().1 else {
            panic!()
        };
        assert_eq!(account.operator, Some(true));
        let UserCommand::Set { account, .. } = parse(&["set", "--operator=OFF", "a"]).unwrap().1
        else {
            panic!()
        };
        assert_eq!(account.operator, Some(false));
        let refused = parse(&["set", "a", "--operator=maybe"]).unwrap_err().to_string();
        assert!(refused.contains("possible values: yes, no"), "{refused}");
    }

    #[test]
    fn wrong_options_are_refused() {
        for line in [
            &["add"][..],
            &["add", "a", "--no-password"],
            &["add", "a", "--uid", "1", "--no-password", "--pam"],
            &["add", "a", "--max-vcpus", "-1"],
            &["add", "a", "--max-vcpus", "many"],
            &["add", "a", "geheim"],
            &["password", "a", "geheim"],
            &["password", "a", "--pam"],
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
        let refused = parse(&["add", "a", "--max-memory", "2G"]).unwrap_err().to_string();
        assert!(refused.contains("'2G' is not a whole number of MiB, write 2048"), "{refused}");
    }
}
