//! The registry: which commands there are, which are on, and what each is for.

use crate::command::{Answer, Command, Context, Session};
use crate::commands::agentupdate::AgentUpdate;
use crate::commands::features::Features;
use crate::commands::file_inject::FileInject;
use crate::commands::injectfile::InjectFile;
use crate::commands::keyinit::KeyInit;
use crate::commands::password::SetPassword;
use crate::commands::resetnetwork::ResetNetwork;
use crate::commands::version::Version;
use crate::exchange::GuestData;
use crate::plugins::Plugins;
use crate::report_only::ReportOnly;
use crate::system::System;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use xend_guest_protocol::request::Request;
use xend_guest_protocol::response::Response;

/// The columns of the documentation's text.
const WIDTH: usize = 76;

/// All commands of the agent.
fn all(version: &str) -> Vec<Box<dyn Command>> {
    vec![
        Box::new(AgentUpdate),
        Box::new(Features),
        Box::new(FileInject),
        Box::new(InjectFile),
        Box::new(KeyInit),
        Box::new(SetPassword),
        Box::new(ResetNetwork::default()),
        Box::new(Version(version.to_owned())),
    ]
}

/// The names of all commands, whether they are on or off.
pub fn names() -> Vec<String> {
    all("").iter().map(|command| command.name().to_owned()).collect()
}

/// Which commands there are.
pub struct Settings<'a> {
    /// What `version` answers.
    pub version: &'a str,
    /// Whether the command of a name is on.
    pub is_on: &'a dyn Fn(&str) -> bool,
    pub plugins: Plugins,
    pub report_only: ReportOnly,
}

/// The commands that can be asked for.
pub struct Registry {
    commands: Vec<Box<dyn Command>>,
    off: Vec<Box<dyn Command>>,
    plugins: Plugins,
    report_only: ReportOnly,
}

impl Registry {
    /// The commands of the agent, those that are on apart from those that are off.
    pub fn new(settings: Settings<'_>) -> Self {
        let is_on = settings.is_on;
        let (commands, off) =
            all(settings.version).into_iter().partition(|command| is_on(command.name()));
        let Settings { plugins, report_only, .. } = settings;
        Self { commands, off, plugins, report_only }
    }

    /// Carries a request out. A command that is off is unknown, so that a plug-in can take its
    /// place. Even a panic is an answer: the request would be there again at the next start.
    pub fn run(
        &self,
        system: &System,
        data: &mut dyn GuestData,
        session: &mut Session,
        request: &Request,
    ) -> Answer {
        let features = || self.features(system);
        let mut context =
            Context { system, data, session, features: &features, now: Instant::now() };
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer(&mut context, request)));
        answer.unwrap_or_else(|_| Response::failed("The agent failed: this is a bug").into())
    }

    fn answer(&self, context: &mut Context<'_>, request: &Request) -> Answer {
        let name = request.name.as_str();
        let value = request.value.as_ref();
        let command = self.commands.iter().find(|command| command.name() == name);
        let is_plugin = || self.plugins.names(context.system).iter().any(|plugin| plugin == name);
        if command.is_none() && !is_plugin() {
            return Response::no_such_command(name).into();
        }
        if command.is_none_or(|command| command.changes_guest()) {
            if let Some(reason) = self.report_only.reason(&context.system.root) {
                return Response::failed(reason).into();
            }
        }
        match command {
            Some(command) => command.run(context, value).into(),
            None => self.plugins.run(context.system, name, value),
        }
    }

    /// What `features` lists, sorted.
    fn features(&self, system: &System) -> Vec<String> {
        let own = self.commands.iter().flat_map(|command| {
            [command.name()].into_iter().chain(command.more_features().iter().copied())
        });
        let mut names: Vec<String> = own.map(ToOwned::to_owned).collect();
        names.extend(self.plugins.names(system));
        names.sort();
        names.dedup();
        names
    }

    /// The documentation of all commands.
    pub fn documentation(&self, system: &System) -> String {
        let mut text = String::new();
        for (commands, state) in [(&self.commands, ""), (&self.off, " (off)")] {
            for command in commands {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{}{state}", command.name());
                for line in lines(command.about()) {
                    let _ = writeln!(text, "    {line}");
                }
            }
        }
        for name in self.plugins.names(system) {
            let _ = writeln!(text, "{name}\n    A program in {}.", self.plugins.directory);
        }
        text
    }
}

/// Breaks a text into lines.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}
