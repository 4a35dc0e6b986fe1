//! `xend sxp`, `xend check` and `xend keys`.

use std::io::Write as _;
use std::process::{Command, Stdio};
use xend::backend::sim::SimSettings;

/// Exit status, standard output, standard error.
fn xend(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xend"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    (
        done.status.code(),
        String::from_utf8(done.stdout).unwrap(),
        String::from_utf8(done.stderr).unwrap(),
    )
}

#[test]
fn expressions_are_printed_one_a_line() {
    assert_eq!(
        xend(&["sxp"], "(a  'b'\n \"c d\") # x\ne"),
        (Some(0), "(a b 'c d')\ne\n".into(), String::new())
    );
    assert_eq!(xend(&["sxp"], ""), (Some(0), String::new(), String::new()));
    let (status, out, stderr) = xend(&["sxp"], "(a)\n (b");
    assert_eq!(
        (status, out.as_str(), stderr.as_str()),
        (Some(1), "(a)\n", "-:2:4: unexpected EOF\n")
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.sxp");
    std::fs::write(&file, "a )").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(
        xend(&["sxp", file], ""),
        (Some(1), "a\n".into(), format!("{file}:1:3: syntax error: )\n"))
    );
    let (status, _, stderr) = xend(&["sxp", "/nonexistent"], "");
    assert_eq!(status, Some(1));
    assert!(stderr.starts_with("xend: Cannot read /nonexistent: "), "{stderr}");
}

#[test]
fn configurations_are_checked_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file(
        "good",
        "(vm (name a) (memory 64) (image (linux (kernel /k) (root /dev/sda1))) (device (vfb (vncpasswd geheim))))",
    );
    let (status, out, stderr) = xend(&["check", &good], "");
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(
        out.contains("(maxmem 64)")
            && out.contains("(args 'root=/dev/sda1')")
            && !out.contains("geheim"),
        "{out}"
    );
    // The output is a configuration, too.
    let again = file("again", &out);
    assert_eq!(xend(&["check", &again], "").1, out);
    let bad = file("bad", "(vm\n  (name 'a b')\n  (memory 64))");
    let (status, out, stderr) = xend(&["check", &good, &bad], "");
    assert!(status == Some(1) && out.contains("(name a)"));
    assert!(stderr.starts_with(&format!("{bad}:2:9: name: Invalid VM Name")), "{stderr}");
}

#[test]
fn files_of_xm_and_libvirt_are_converted() {
    let dir = tempfile::tempdir().unwrap();
    let xm = file(&dir, "web.cfg", "memory = 64\nvcpsu = 2\nbuilder = ''\n");
    let (status, out, stderr) = xend(&["convert", &xm], "");
    assert_eq!(status, Some(0));
    assert!(out.starts_with("(vm\n    (name web.cfg)\n    (memory 64)\n"), "{out}");
    assert_eq!(stderr, format!("{xm}:2:1: vcpsu: unknown variable, vcpus is one\n"));

    let xml = "<domain type='xen'><name>a</name><memory unit='GiB'>1</memory></domain>";
    let xml = file(&dir, "a.xml", xml);
    let (status, out, stderr) = xend(&["convert", &xml], "");
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(out.contains("(memory 1024)") && out.contains("(image (linux))"), "{out}");

    let bad = file(&dir, "bad.xml", "<domain>\n<vcpu>x</vcpu></domain>");
    let (status, out, stderr) = xend(&["convert", &bad], "");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert_eq!(stderr, format!("{bad}:1:1: <memory> is expected\n"));
}

/// A file in a directory, and its path.
fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn probable_mistakes_are_warnings() {
    let dir = tempfile::tempdir().unwrap();
    for (text, wanted) in [
        (
            "(vm (name a) (memory 64)\n (vcpsu 4) (image (linux (kernel /k))))",
            "2:2: vcpsu: unknown key, vcpus is one",
        ),
        (
            "(vm (name a) (memory 64) (mode rw) (image (linux (kernel /k))))",
            "1:26: mode: unknown key",
        ),
        (
            "(vm (name a) (memory 64) (image (linux (kernel /k)))\n (device (vbd (dev xvda) (uname phy:/a) (mod r))))",
            "2:41: vbd mod: unknown key, mode is one",
        ),
        (
            "(vm (name a) (memory 64) (image (linux (kernel /k))) (device (vbd (dev xvda) (uname phy:/a) (mode rw))))",
            "1:93: vbd mode: xend's word for this is w",
        ),
        (
            "(vm (name a) (memory 64) (image (linux)))",
            "1:33: image kernel: missing, and there is no bootloader",
        ),
        ("(vm (name a) (memory 64))", "1:1: image: missing, the domain has nothing to boot"),
        (
            "(vm (memory 64) (image (hvm)))",
            "1:1: name: missing, the domain is called Domain-Unnamed",
        ),
        (
            "(vm (name a) (memory 64) (image (hvm)))\n(vm (name b) (memory 64))",
            "2:1: only the first expression is used, this and the rest are ignored",
        ),
    ] {
        let path = file(&dir, "config", text);
        let (status, out, stderr) = xend(&["check", &path], "");
        assert_eq!((status, stderr), (Some(0), format!("{path}:{wanted}\n")), "{text}");
        assert!(out.contains("(memory 64)"), "{out}");
        let (status, _, stderr) = xend(&["check", "--strict", &path], "");
        assert_eq!((status, stderr), (Some(1), format!("{path}:{wanted}\n")), "{text}");
    }
    let good = file(&dir, "config", "(vm (name a) (memory 64) (image (linux (kernel /k))))");
    assert_eq!(xend(&["check", "--strict", &good], "").0, Some(0));
}

#[test]
fn other_forms_of_configurations_are_read_or_named() {
    let dir = tempfile::tempdir().unwrap();
    let path =
        file(&dir, "web.cfg", "# /etc/xen/web.cfg\nkernel = '/k'\nvfb = ['vncpasswd=geheim']\n");
    let (status, out, stderr) = xend(&["check", "--strict", &path], "");
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(out.starts_with("(vm\n") && out.contains("(name web.cfg)"), "{out}");
    assert!(out.contains("(device (vfb") && !out.contains("geheim"), "{out}");
    // The output is a configuration, too.
    let again = file(&dir, "again", &out);
    assert_eq!(xend(&["check", &again], "").1, out);
    for (text, wanted) in [
        (
            "# /etc/xen/web\nimport socket\nkernel = '/boot/vmlinuz'\n",
            "2:8: socket cannot be imported: leave it out",
        ),
        ("name = 'web'\nmemory = '64 MB'\n", "2:10: memory: \"64 MB\" is not a whole number"),
        ("<?xml version='1.0'?>\n<domain type='xen'/>\n", "2:1: <memory> is expected"),
    ] {
        let path = file(&dir, "config", text);
        let (status, out, stderr) = xend(&["check", &path], "");
        assert_eq!((status, out.as_str()), (Some(1), ""));
        assert!(stderr.starts_with(&format!("{path}:{wanted}")), "{stderr}");
    }
}

#[test]
fn recorded_configurations_pass() {
    let recorded = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("sexpr-fixtures/store/xend-4.1-pv.sxp");
    let (status, _, stderr) = xend(&["check", "--strict", recorded.to_str().unwrap()], "");
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
}

#[test]
fn configurations_of_any_size_are_explained_and_closed_pipes_are_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let many = "(a 1) ".repeat(5_000);
    let text = format!(
        "(vm (name a) (memory 64) (image (linux (kernel /k))) (description {}) (platform ({many})))",
        "x".repeat(3 << 20)
    );
    let path = file(&dir, "large", &text);
    let (status, out, stderr) = xend(&["check", &path], "");
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(out.len() > text.len() / 2, "{}", out.len());
    for command in ["check", "sxp"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xend"))
            .args([command, &path])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `head` does.
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        assert_eq!(
            (done.status.code(), String::from_utf8(done.stderr).unwrap().as_str()),
            (Some(0), ""),
            "{command}"
        );
    }
    // Standard error may be closed, too.
    let bad = file(&dir, "bad", "(vm");
    let mut child = Command::new(env!("CARGO_BIN_EXE_xend"))
        .args(["check", &bad])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// What a command that cannot print does: its status and errors.
fn with_output(arguments: &[&str], output: Stdio) -> (Option<i32>, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_xend"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_full_disk_is_an_error_of_every_command_and_a_closed_pipe_of_none() {
    let dir = tempfile::tempdir().unwrap();
    let config = file(&dir, "web.sxp", "(vm (name a) (memory 64) (image (linux (kernel /k))))");
    let users = file(&dir, "users.sxp", "(user a (uid 1))");
    std::fs::set_permissions(&users, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let empty = file(&dir, "empty", "");
    for arguments in [
        &["keys"][..],
        &["keys", "--sample"],
        &["check", &config],
        &["sxp", &config],
        &["convert", &config],
        &["user", "list", "--file", &users],
        &["--version"],
        &["-V"],
        &["--help"],
        &["user", "--help"],
        &["--check-config", "--config", &empty, "--unix", "off"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let message = "xend: Cannot write to standard output: No space left on device";
        let (status, stderr) = with_output(arguments, full.into());
        assert_eq!((status, stderr.lines().count()), (Some(1), 1), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with(message), "{arguments:?}: {stderr}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = with_output(arguments, writer.into());
        assert_eq!(closed, (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn every_key_of_the_configuration_is_listed() {
    let (status, out, _) = xend(&["keys"], "");
    assert_eq!(status, Some(0));
    for line in [
        "(xend-port 8000)  The TCP port for HTTP.",
        "(dom0-min-mem 196)  ",
        "(vnc-tls)  has no effect: ",
    ] {
        assert!(out.lines().any(|found| found.starts_with(line)), "{line}: {out}");
    }
    let (status, out, _) = xend(&["keys", "--sample"], "");
    assert_eq!((status, out.as_str()), (Some(0), include_str!("../../dist/xend-config.sxp")));
}

#[test]
fn commands_of_the_old_daemon_are_answered_by_todays() {
    // What to type depends on the unit that this machine has, if it has one.
    for (command, said) in [
        ("start", "Nothing was started: "),
        ("trace_start", "Nothing was started: "),
        ("stop", "Nothing was done: "),
        ("restart", "Nothing was done: "),
        ("reload", "Nothing was done: "),
    ] {
        let (status, out, stderr) = xend(&[command], "");
        assert_eq!((status, out.as_str()), (Some(1), ""));
        assert!(stderr.contains(said) && stderr.lines().count() == 1, "{stderr}");
    }
    let (status, _, stderr) = xend(&["trace_strt"], "");
    assert_eq!(status, Some(2));
    assert!(stderr.contains("trace_strt") && !stderr.contains("trace_start"), "{stderr}");
    let (status, out, _) = xend(&["--help"], "");
    assert_eq!(status, Some(0));
    assert!(!out.contains("trace_start") && out.contains("  restart"), "{out}");
    assert!(out.contains("with 0 if one listens, with 3 if none does, and with 4 if"), "{out}");
    let (status, _, stderr) = xend(&["help", "status"], "");
    assert_eq!(status, Some(0), "{stderr}");
}

#[test]
fn the_version_tells_what_the_build_has() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(xend(&["-V"], ""), (Some(0), format!("xend {version}\n"), String::new()));
    let (status, out, _) = xend(&["--version"], "");
    assert_eq!(status, Some(0));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], format!("xend {version}"));
    let hypervisors = if cfg!(feature = "xen") { "xen, sim" } else { "sim" };
    assert_eq!(lines[1], format!("hypervisors: {hypervisors}"));
    assert!(lines[2].starts_with("features: ") && lines[2].contains("lexpr"), "{out}");
}

#[cfg(not(feature = "xen"))]
#[test]
fn a_build_without_xen_says_how_to_get_one() {
    let how = "this xend has only the simulator: install the package xend-xen, or build it with \
               cargo build --profile dist --features xen";
    let (status, _, stderr) = xend(&["--hypervisor", "xen"], "");
    assert!(status == Some(2) && stderr.contains(how), "{stderr}");
    let dir = tempfile::tempdir().unwrap();
    let config = file(&dir, "config.sxp", "(xend-hypervisor xen)");
    let (status, _, stderr) = xend(&["--check-config", "--config", &config], "");
    let message = format!("Error: {config}:1:18: xend-hypervisor: {how}\n");
    assert_eq!((status, stderr), (Some(1), message));
}

#[test]
fn a_configuration_that_is_checked_is_summed_up() {
    let dir = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let config = file(&dir, "config.sxp", text);
        let (status, out, stderr) = xend(&["--check-config", "--config", &config], "");
        (status, out.strip_prefix(&config).unwrap_or_default().to_owned(), stderr)
    };
    let fine = (Some(0), ": no errors, no warnings\n".to_owned(), String::new());
    assert_eq!(check("(xend-hypervisor sim)"), fine);
    let missing = dir.path().join("nosuch");
    let directory = format!("the directory {} is missing, make it first", missing.display());
    let (status, out, stderr) = check(&format!("(logfile {}/xen/xend.log)", missing.display()));
    assert_eq!((status, out.as_str()), (Some(0), ": no errors, 1 warning\n"));
    let message = format!("logfile: {directory}; the log goes to standard error");
    assert!(stderr.trim_end().ends_with(&message), "{stderr}");
    let (status, out, stderr) = check(&format!("(xend-unix-path {}/a/sock)", missing.display()));
    assert_eq!((status, out.as_str()), (Some(1), ": 1 error, no warnings\n"));
    assert!(stderr.contains("is not served: ") && stderr.contains(&directory), "{stderr}");
    let nothing = "(xend-http-server no) (xend-unix-server no) (xend-unix-xmlrpc-server no) \
                   (xen-api-server ())";
    let (status, _, stderr) = check(nothing);
    assert!(status == Some(1) && stderr.contains("Error: Nothing to listen on"), "{stderr}");
    let (status, _, stderr) = check("(sim-memory 4G)");
    assert_eq!(status, Some(1));
    assert!(
        stderr.ends_with("'4G' is not a number of MiB (1088 to 16777216), write 4096\n"),
        "{stderr}"
    );
}

#[test]
fn a_file_without_an_end_is_refused() {
    let device = "/dev/zero";
    let config = format!("xend: Cannot read the configuration {device}: it is larger than 1 MiB\n");
    let (status, _, stderr) = xend(&["--check-config", "--config", device], "");
    assert_eq!((status, stderr), (Some(1), config));
    let file = format!("xend: Cannot read {device}: it is larger than 64 MiB\n");
    for command in ["check", "convert", "sxp"] {
        let (status, _, stderr) = xend(&[command, device], "");
        assert_eq!((status, &stderr), (Some(1), &file), "{command}");
    }
}

#[test]
fn the_sizes_of_a_simulated_host_are_checked_as_at_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let options = ["--http", "off", "--unix", "off", "--state-dir", state.to_str().unwrap()];
    for (text, range) in [
        ("(sim-memory 1)", "'1' is not a number of MiB (1088 to 16777216)"),
        ("(sim-memory 1087)", "'1087' is not a number of MiB (1088 to 16777216)"),
        ("(sim-memory 16777217)", "'16777217' is not a number of MiB (1088 to 16777216)"),
        ("(sim-cpus 0)", "'0' is not a number of CPUs (1 to 4096)"),
    ] {
        let config = file(&dir, "config.sxp", text);
        let key = text[1..].split(' ').next().unwrap();
        let message = format!("{config}:1:{}: {key}: {range}\n", key.len() + 3);
        let (status, _, stderr) = xend(&["--check-config", "--config", &config], "");
        assert_eq!((status, stderr), (Some(1), format!("Error: {message}")));
        let started = xend(&[&options[..], &["--config", &config]].concat(), "");
        assert_eq!(started, (Some(1), String::new(), format!("xend: {message}")));
    }
    for memory in [1088, 16_777_216] {
        SimSettings { memory_mib: memory, ..SimSettings::default() }.check().unwrap();
    }
    for memory in [1087, 16_777_217] {
        SimSettings { memory_mib: memory, ..SimSettings::default() }.check().unwrap_err();
    }
}
