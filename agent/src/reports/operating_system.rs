//! The operating system, the kernel, the host name and the memory.

use super::report::Report;
use crate::root::Root;

/// The most bytes of a file that are read as text: those of a sane system have a few hundred.
const MAX_TEXT: usize = 64 << 10;

/// Adds `data/os_*` and `data/host_name_dns`. What the system does not tell is left out.
pub(super) fn add_operating_system(report: &mut Report, root: &Root) {
    let release = OsRelease::read(root);
    report.add("data/os_name", &release.name);
    report.add("data/os_distro", &release.distribution);
    report.add("data/os_majorver", &release.major);
    report.add("data/os_minorver", &release.minor);
    report.add("data/os_uname", &text(root, "/proc/sys/kernel/osrelease"));
    report.add("data/host_name_dns", &host_name(root));
}

/// Adds `data/meminfo_*`, in KiB. `data/meminfo_free` is what new programs can get, which caches
/// make much more than what is free.
pub(super) fn add_memory(report: &mut Report, root: &Root) {
    let text = text(root, "/proc/meminfo");
    let amount = |wanted: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':'))?;
        line.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()
    };
    if let Some(total) = amount("MemTotal") {
        report.add("data/meminfo_total", &total.to_string());
    }
    // Kernels before 3.14 have no MemAvailable.
    if let Some(free) = amount("MemAvailable").or_else(|| amount("MemFree")) {
        report.add("data/meminfo_free", &free.to_string());
    }
}

/// The kernel's, else the configured one.
fn host_name(root: &Root) -> String {
    let now = text(root, "/proc/sys/kernel/hostname");
    // The kernel's name before anybody has set one.
    if !now.is_empty() && now != "(none)" {
        return now;
    }
    let configured = text(root, "/etc/hostname");
    let mut lines = configured.lines().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default().to_owned()
}

/// What os-release(5) says. What it does not say is empty, but for the name and the distribution.
struct OsRelease {
    name: String,
    distribution: String,
    major: String,
    minor: String,
}

impl OsRelease {
    /// From `/etc/os-release`, else from the one below `/usr`.
    fn read(root: &Root) -> Self {
        let files = ["/etc/os-release", "/usr/lib/os-release"];
        let texts = files.iter().map(|file| text(root, file));
        let text = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        // As in a shell, a later line overrides an earlier one.
        let value = |name: &str| {
            let lines = text.lines().rev();
            let mut values =
                lines.filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            values.next().map(unquote).unwrap_or_default()
        };
        let (major, minor) = version(&value("VERSION_ID"));
        let names = [value("PRETTY_NAME"), format!("{} {}", value("NAME"), value("VERSION"))];
        let name = names.iter().map(|name| name.trim()).find(|name| !name.is_empty());
        let distribution = Some(value("ID")).filter(|id| !id.trim().is_empty());
        Self {
            // The defaults of os-release(5).
            name: name.unwrap_or("Linux").to_owned(),
            distribution: distribution.unwrap_or_else(|| "linux".to_owned()),
            major,
            minor,
        }
    }
}

/// The first two numbers of a version such as `24.04`, `9.4`, `12`, `v1.7.0`; empty what is not
/// there.
fn version(text: &str) -> (String, String) {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut numbers = text.split('.').map(|part| {
        let end = part.find(|char: char| !char.is_ascii_digit()).unwrap_or(part.len());
        part.get(..end).unwrap_or_default().to_owned()
    });
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().filter(|_| !major.is_empty()).unwrap_or_default();
    (major, minor)
}

/// The value of an assignment in a shell, without its quotes. Nothing is expanded.
fn unquote(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let quote = chars.next().filter(|char| matches!(char, '"' | '\''));
    let Some(quote) = quote else { return text.to_owned() };
    let mut value = String::new();
    while let Some(char) = chars.next() {
        match char {
            '\\' if quote == '"' => value.extend(chars.next()),
            _ if char == quote => break,
            _ => value.push(char),
        }
    }
    value
}

/// The beginning of a text file; empty if there is none or it cannot be read.
fn text(root: &Root, path: &str) -> String {
    let mut bytes = root.read(path).ok().flatten().unwrap_or_default();
    bytes.truncate(MAX_TEXT);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Guest;
    use super::super::report::MAX_VALUE;
    use super::*;
    use proptest::prelude::*;

    fn system_of(guest: &Guest) -> Vec<(String, String)> {
        let mut report = Report::default();
        add_operating_system(&mut report, &guest.root());
        report.nodes().map(|(path, value)| (path.to_owned(), value.to_owned())).collect()
    }

    fn memory_of(meminfo: &str) -> Vec<(String, String)> {
        let mut report = Report::default();
        add_memory(&mut report, &Guest::empty().file("/proc/meminfo", meminfo).root());
        report.nodes().map(|(path, value)| (path.to_owned(), value.to_owned())).collect()
    }

    fn nodes<const N: usize>(nodes: [(&str, &str); N]) -> Vec<(String, String)> {
        nodes.map(|(path, value)| (path.to_owned(), value.to_owned())).to_vec()
    }

    fn named(os_release: impl AsRef<[u8]>) -> [String; 4] {
        let release = OsRelease::read(&Guest::empty().file("/etc/os-release", os_release).root());
        [release.name, release.distribution, release.major, release.minor]
    }

    #[test]
    fn debian_has_no_minor_version() {
        let expected = nodes([
            ("data/os_name", "Debian GNU/Linux 12 (bookworm)"),
            ("data/os_distro", "debian"),
            ("data/os_majorver", "12"),
            ("data/os_uname", "6.1.0-28-amd64"),
            ("data/host_name_dns", "db1"),
        ]);
        assert_eq!(system_of(&Guest::debian_12()), expected);
    }

    #[test]
    fn ubuntu_alpine_and_red_hat_are_told_as_they_call_themselves() {
        let expected = nodes([
            ("data/os_name", "Ubuntu 24.04.1 LTS"),
            ("data/os_distro", "ubuntu"),
            ("data/os_majorver", "24"),
            ("data/os_minorver", "04"),
            ("data/os_uname", "6.8.0-49-generic"),
            ("data/host_name_dns", "web1"),
        ]);
        assert_eq!(system_of(&Guest::ubuntu_24_04()), expected);
        let expected = nodes([
            ("data/os_name", "Alpine Linux v3.20"),
            ("data/os_distro", "alpine"),
            ("data/os_majorver", "3"),
            ("data/os_minorver", "20"),
            ("data/os_uname", "6.6.58-0-virt"),
            ("data/host_name_dns", "alpine"),
        ]);
        assert_eq!(system_of(&Guest::alpine()), expected);
        let expected = nodes([
            ("data/os_name", "Red Hat Enterprise Linux 9.4 (Plow)"),
            ("data/os_distro", "rhel"),
            ("data/os_majorver", "9"),
            ("data/os_minorver", "4"),
            ("data/os_uname", "5.14.0-427.13.1.el9_4.x86_64"),
            ("data/host_name_dns", "rhel.example.com"),
        ]);
        assert_eq!(system_of(&Guest::rhel()), expected);
    }

    #[test]
    fn a_guest_without_os_release_is_a_linux() {
        let expected = nodes([("data/os_name", "Linux"), ("data/os_distro", "linux")]);
        assert_eq!(system_of(&Guest::empty()), expected);
    }

    #[test]
    fn the_file_in_etc_goes_before_the_one_in_usr() {
        let both =
            Guest::empty().file("/etc/os-release", "ID=a").file("/usr/lib/os-release", "ID=b");
        assert_eq!(OsRelease::read(&both.root()).distribution, "a");
        let usr = Guest::empty().file("/usr/lib/os-release", "ID=b");
        assert_eq!(OsRelease::read(&usr.root()).distribution, "b");
        let empty =
            Guest::empty().file("/etc/os-release", "\n").file("/usr/lib/os-release", "ID=b");
        assert_eq!(OsRelease::read(&empty.root()).distribution, "b");
    }

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        assert_eq!(
            named("ID=a\nID=b\n NAME='x \"y\"'\nVERSION=\"1\\\"2\\$\" # three\n")[0],
            "x \"y\" 1\"2$"
        );
        assert_eq!(named("ID=a\nID=b\n")[1], "b");
        assert_eq!(named("NAME=Arch Linux\n")[0], "Arch Linux");
        assert_eq!(named("PRETTY_NAME=\"no end")[0], "no end");
        assert_eq!(named("PRETTY_NAME=\"\"\nID=\n")[..2], ["Linux", "linux"]);
        assert_eq!(named("XID=a\nIDX=b\nID = c\n# ID=d\n")[1], "linux");
        assert_eq!(named("ID=a\r\nVERSION_ID=\"7\"\r\n")[1..3], ["a", "7"]);
    }

    #[test]
    fn versions_have_two_numbers_at_most() {
        let read = |text: &str| {
            let (major, minor) = version(text);
            format!("{major}/{minor}")
        };
        assert_eq!(read("24.04"), "24/04");
        assert_eq!(read("3.20.3"), "3/20");
        assert_eq!(read("12"), "12/");
        assert_eq!(read("v1.7.0-alpha"), "1/7");
        assert_eq!(read("20240101"), "20240101/");
        assert_eq!(read("2.0rc1"), "2/0");
        assert_eq!(read("rolling.5"), "/");
        assert_eq!(read(""), "/");
    }

    #[test]
    fn a_hostile_os_release_is_harmless() {
        let hostile =
            b"PRETTY_NAME=\"$(reboot) \x00\x1b]0;x\x07\xff\xfe\n`id`\"\nID=\"../../a b\"\n\
            VERSION_ID=9999999999999999999999.1\nNAME=\n=\n\"\n";
        let mut guest = Guest::empty().file("/etc/os-release", hostile);
        let found = system_of(&guest);
        assert_eq!(found[0], ("data/os_name".into(), "$(reboot) ??]0;x???".into()));
        assert_eq!(found[1], ("data/os_distro".into(), "../../a b".into()));
        let long = format!("PRETTY_NAME={}\nID={}\n", "x".repeat(4000), "\u{e9}".repeat(4000));
        guest = Guest::empty().file("/etc/os-release", long);
        assert!(system_of(&guest).iter().all(|(_, value)| value.len() == MAX_VALUE));
        // A file of any size, and what is no file.
        let mut huge = "PRETTY_NAME=Big\n".to_owned();
        huge.push_str(&"#".repeat(8 << 20));
        guest = Guest::empty().file("/etc/os-release", huge);
        assert_eq!(system_of(&guest)[0].1, "Linux");
        guest = Guest::empty().file("/etc/os-release/file", "");
        assert_eq!(system_of(&guest)[0].1, "Linux");
        guest = Guest::empty().link("/etc/os-release", "os-release");
        assert_eq!(system_of(&guest)[0].1, "Linux");
    }

    #[test]
    fn the_host_name_is_the_kernels_else_the_configured_one() {
        let guest = Guest::empty().file("/etc/hostname", "# a comment\n\n web2 \n");
        assert_eq!(host_name(&guest.root()), "web2");
        let guest = guest.file("/proc/sys/kernel/hostname", "(none)\n");
        assert_eq!(host_name(&guest.root()), "web2");
        let guest = guest.file("/proc/sys/kernel/hostname", "web1\n");
        assert_eq!(host_name(&guest.root()), "web1");
    }

    #[test]
    fn free_memory_is_what_new_programs_can_get() {
        let expected = nodes([("data/meminfo_total", "2000"), ("data/meminfo_free", "1500")]);
        let meminfo = "MemTotal: 2000 kB\nMemFree: 100 kB\nMemAvailable:  1500 kB\n";
        assert_eq!(memory_of(meminfo), expected);
        let old = "MemTotal:\t2000 kB\nMemFree: 1500 kB\n";
        assert_eq!(memory_of(old), expected);
        assert_eq!(memory_of("MemTotal: many kB\nMemAvailable: -1 kB\nMemFreeX: 1 kB\n"), []);
        assert_eq!(memory_of(""), []);
    }

    proptest! {
        #[test]
        fn any_os_release_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let [name, distribution, major, minor] = named(&bytes);
            prop_assert!(!name.is_empty() && !distribution.is_empty());
            prop_assert!(major.bytes().chain(minor.bytes()).all(|byte| byte.is_ascii_digit()));
        }

        #[test]
        fn a_quoted_value_is_read_back(value in "[ -~]{0,40}") {
            let escaped: String = value.chars().flat_map(|char| {
                let escape = matches!(char, '"' | '\\' | '$' | '`').then_some('\\');
                escape.into_iter().chain([char])
            }).collect();
            prop_assert_eq!(unquote(&format!("\"{escaped}\"")), value);
        }
    }
}
