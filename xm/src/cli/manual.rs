//! The manual page xm(1), from the table.

use super::command::{Command, Group, Shown};
use super::option::OptionSpec;
use std::fmt::Write as _;

const HEAD: &str = r#".TH XM 1 "" xend "User commands"
.SH NAME
xm \- manage Xen domains
.SH SYNOPSIS
.B xm
.RB [ \-H
.IR HOST ]
.I command
.RI [ arguments ]
.SH DESCRIPTION
.B xm
lists, creates and controls the domains of a host that runs
.BR xend (8).
A domain is given by its name, its domid or its UUID. What scripts read is printed as the xm of
Xen 4.1 printed it.
.SH OPTIONS
.TP
.BR \-H " \fIHOST\fR, " \-\-host =\fIHOST\fR
The xend to talk to:
.BI unix: PATH
or
.RI http[s]:// [USER@]HOST[:PORT] .
A name alone means https, and http for this machine; the port is 8000 unless given. Without this
option it is
.BR XM_SERVER ,
and without that the unix socket of this machine.
.TP
.B \-\-version
Print the version.
"#;

const TAIL: &str = r#".SH EXIT STATUS
.TP
.B 0
The command was carried out.
.TP
.B 1
It was not.
.TP
.B 3
The domain does not exist.
.TP
.B 4
Today's Xen or this xend does not offer it.
.PP
.B xm xendomains
ends as init scripts do:
.B status
with 2 if the start was interrupted, 3 if the domains were not started and 4 if xend does not run, and without the file of its
variables all but
.B stop
with 6.
.SH ENVIRONMENT
.TP
.B XM_SERVER
The xend to talk to, as for
.BR \-H .
.TP
.B XM_PASSWORD_FILE
A file whose first line is the account's password. Without it, xm asks on the terminal.
.TP
.B SSL_CERT_FILE
The certificates (PEM) that are trusted, instead of the machine's own.
.TP
.B NO_COLOR
If it is not empty, there are no colours on a terminal.
.SH FILES
.TP
.I /var/lib/xend/xend\-socket
The unix socket of xend. For other users than root it is
.IR $XDG_RUNTIME_DIR/xend/xend\-socket .
.TP
.I /run/xend/xend\-socket
The unix socket of the service that simulates a host, if the other one is not there.
.TP
.I /etc/xen
Configuration files of domains.
.TP
.IR /etc/default/xendomains ", " /etc/sysconfig/xendomains
The variables of
.BR "xm xendomains" .
.SH SEE ALSO
.BR xend (8),
.BR xend.sxp (5),
.BR xend\-config.sxp (5)
"#;

/// The page in roff.
pub(crate) fn page(groups: &[Group]) -> String {
    let mut out = format!("{HEAD}.SH COMMANDS\n");
    for group in groups {
        let _ = writeln!(out, ".SS {}", escaped(group.title));
        let all = group.commands.iter().copied().flatten();
        for command in all.filter(|command| command.shown != Shown::Nowhere) {
            entry(&mut out, command);
        }
    }
    out.push_str(TAIL);
    out
}

fn entry(out: &mut String, command: &Command) {
    let name = escaped(command.name);
    let _ = writeln!(out, ".TP\n\\fB{name}\\fR {}", escaped(command.arguments));
    let _ = writeln!(out, "{}", text(command.about));
    if !command.aliases.is_empty() {
        let _ = writeln!(out, "Older names: {}.", escaped(&command.aliases.join(", ")));
    }
    if command.options.is_empty() {
        return;
    }
    out.push_str(".RS\n");
    for option in command.options {
        let _ = writeln!(out, ".TP\n{}\n{}.", names(option), text(option.about));
    }
    out.push_str(".RE\n");
}

fn names(option: &OptionSpec) -> String {
    let value = option.value.map(|value| format!("=\\fI{}\\fR", escaped(value)));
    let short = option.short.map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
    format!("{short}\\fB\\-\\-{}\\fR{}", escaped(option.long), value.unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// A text of its own line, which must not begin like a request.
fn text(text: &str) -> String {
    let text = escaped(text);
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
