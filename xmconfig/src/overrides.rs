//! The arguments `NAME=VALUE` of `xm create`.

use super::domain::other_name;
use super::error::{COMMAND_LINE, XmConfigError};
use super::language::{Data, Value, Variables};
use super::options::{OPTIONS, OptionKind};
use super::whole_number;

/// Arguments `NAME=VALUE` beside a file, as xm took them.
///
/// The name of an option sets it, whatever the file says; an option that is a list has an item for
/// each argument. Any other name is a variable from the start, which the file may use and set
/// again. Values are strings; a file that calculates with one takes `int(NAME)`.
///
/// ```
/// use xend_xmconfig::{Defaults, Overrides, convert_with};
///
/// let mut overrides = Overrides::default();
/// for argument in ["id=3", "memory=256", "vif=bridge=xenbr0", "vif="] {
///     overrides.add(argument.as_bytes())?;
/// }
/// let text = b"name = 'web%s' % id\nmemory = 64\nvif = ['mac=00:16:3e:00:00:01']";
/// let config = convert_with(text, &Defaults::default(), &overrides)?.config;
/// assert_eq!(config.value("name").and_then(|name| name.as_str()), Some("web3"));
/// assert_eq!(config.value("memory").and_then(|memory| memory.as_str()), Some("256"));
/// let is_device = |item: &&xend_sxp::Sxp| item.head() == Some("device");
/// assert_eq!(config.tail().iter().filter(is_device).count(), 2);
/// # Ok::<(), xend_xmconfig::XmConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    options: Vec<(&'static str, Data)>,
    variables: Vec<(String, Data)>,
}

impl Overrides {
    /// Adds `NAME=VALUE`. Blanks around both are no part of them.
    pub fn add(&mut self, argument: &[u8]) -> Result<(), XmConfigError> {
        let refused = |reason: String| XmConfigError::at(COMMAND_LINE, reason, b"");
        let at = argument.iter().position(|byte| *byte == b'=');
        let (name, value) = argument.split_at(at.unwrap_or(0));
        let name = std::str::from_utf8(name.trim_ascii()).unwrap_or_default();
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !is_name || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(refused("NAME=VALUE is expected".to_owned()));
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let Some(option) = OPTIONS.iter().find(|option| option.name == name) else {
            self.variables.push((name.to_owned(), Data::Text(value.to_vec())));
            return Ok(());
        };
        let value = read(name, option.kind, value)
            .map_err(|reason| refused(format!("{name}: {reason}")))?;
        match (self.options.iter_mut().find(|(known, _)| *known == name), value) {
            (Some((_, Data::List(items))), Data::List(more)) => items.extend(more),
            (Some((_, earlier)), value) => *earlier = value,
            (None, value) => self.options.push((option.name, value)),
        }
        Ok(())
    }

    /// Sets the variables that a file may use.
    pub(super) fn set_before(&self, variables: &mut Variables) {
        for (name, data) in &self.variables {
            set(variables, name, data.clone());
        }
    }

    /// Sets the options, which count whatever a file has set.
    pub(super) fn set_after(&self, variables: &mut Variables) {
        for (name, data) in &self.options {
            set(variables, name, data.clone());
            // xl's name of the option, which would take its place.
            if let Some(other) = other_name(name).filter(|other| self.has_none(other)) {
                set(variables, other, Data::None);
            }
        }
    }

    fn has_none(&self, name: &str) -> bool {
        !self.options.iter().any(|(known, _)| *known == name)
    }
}

fn set(variables: &mut Variables, name: &str, data: Data) {
    variables.set(name, COMMAND_LINE, Value { offset: COMMAND_LINE, data });
}

/// Reads a value as an option of this kind takes it. The error is the reason.
fn read(name: &str, kind: OptionKind, value: &[u8]) -> Result<Data, String> {
    let text = Data::Text(value.to_vec());
    Ok(match kind {
        OptionKind::Text => text,
        OptionKind::List if value.starts_with(b"[") => {
            return Err(format!(
                "one item is expected, without brackets and quotes; give {name}= again for another"
            ));
        }
        OptionKind::List => Data::List(vec![Value { offset: COMMAND_LINE, data: text }]),
        OptionKind::Number => {
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            Data::Int(number.ok_or_else(|| whole_number::expected(name, value))?)
        }
        OptionKind::Flag => match value {
            b"yes" | b"y" | b"1" => Data::Int(1),
            b"no" | b"n" | b"0" => Data::Int(0),
            _ => return Err("yes or no is expected".to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Defaults, convert_with};

    /// What a file becomes with arguments, or its error.
    fn converted(text: &str, arguments: &[&str]) -> Result<String, String> {
        let mut overrides = Overrides::default();
        for argument in arguments {
            overrides.add(argument.as_bytes()).map_err(|error| format!("{error:#}"))?;
        }
        convert_with(text.as_bytes(), &Defaults::default(), &overrides)
            .map(|conversion| conversion.config.to_string())
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_option_counts_whatever_the_file_sets() {
        let file = "memory = 64\nmaxmem = memory * 2\ndisk = ['phy:/a,xvda,w']\ncap = 10\n\
                    cmdline = 'quiet'\nlocaltime = 1";
        let arguments = [
            "memory=96",
            "disk=file:/b,xvdb,w",
            " disk = phy:/c,xvdc,r ",
            "cpu_cap=50",
            "extra=a=b single",
            "localtime=no",
            "kernel=/boot/a b",
        ];
        let config = converted(file, &arguments).unwrap();
        for part in [
            "(memory 96) (maxmem 128)",
            "(cpu_cap 50)",
            "(args 'a=b single')",
            "(kernel '/boot/a b')",
            "(device (vbd (uname file:/b) (dev xvdb) (mode w))) \
             (device (vbd (uname phy:/c) (dev xvdc) (mode r)))",
        ] {
            assert!(config.contains(part), "{part}: {config}");
        }
        assert!(!config.contains("xvda") && !config.contains("localtime"), "{config}");
        let config = converted("builder = 'linux'\ncap = 5", &["type=hvm", "cpu_cap=6"]).unwrap();
        assert!(config.contains("(image (hvm ") && config.contains("(cpu_cap 6)"), "{config}");
    }

    #[test]
    fn another_name_is_a_variable_from_the_start() {
        let file = "name = 'vm%d' % int(vmid)\nmaxmem = int(vmid) * 64";
        let config = converted(file, &["vmid=2"]).unwrap();
        assert!(config.contains("(name vm2)") && config.contains("(maxmem 128)"), "{config}");
        let config = converted("vmid = 5\nname = 'vm%s' % vmid", &["vmid=2"]).unwrap();
        assert!(config.contains("(name vm5)"), "{config}");
        assert!(converted(file, &[]).unwrap_err().starts_with("line 1, column 21: "));
    }

    #[test]
    fn mistakes_are_on_the_command_line() {
        for (argument, wanted) in [
            ("=64", "NAME=VALUE is expected"),
            ("memory", "NAME=VALUE is expected"),
            ("a b=1", "NAME=VALUE is expected"),
            ("1a=1", "NAME=VALUE is expected"),
            ("memory=secret", "memory: a whole number is expected"),
            ("memory=2G", "memory: a whole number of MiB is expected, write 2048"),
            ("vcpus=2G", "vcpus: a whole number is expected"),
            ("usb=secret", "usb: yes or no is expected"),
            (
                "disk=['phy:/a,xvda,w']",
                "disk: one item is expected, without brackets and quotes; give disk= again for \
                 another",
            ),
            (
                "disk=foo,secret,baz",
                "disk: the second part, a format, is not one of raw qcow qcow2 vhd: \
                 TYPE:PATH,DEVICE,MODE is expected, like phy:/dev/vg0/web,xvda,w",
            ),
            (
                "disk=phy:/a",
                "disk: TYPE:PATH,DEVICE,MODE is expected, like phy:/dev/vg0/web,xvda,w",
            ),
        ] {
            let error = converted("name = 'a'", &[argument]).unwrap_err();
            assert_eq!(error, format!("on the command line: {wanted}"));
        }
    }
}
