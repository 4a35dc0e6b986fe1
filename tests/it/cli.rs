//! `xend sxp` and `xend check`, for people who write configurations.

use std::io::Write as _;
use std::process::{Command, Stdio};

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
    (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn expressions_are_printed_one_a_line() {
    assert_eq!(
        xend(&["sxp"], "(a  'b'\n \"c d\") # x\ne"),
        (Some(0), "(a b 'c d')\ne\n".into(), String::new())
    );
    assert_eq!(xend(&["sxp"], ""), (Some(0), String::new(), String::new()));
    let (status, out, said) = xend(&["sxp"], "(a)\n (b");
    assert_eq!((status, out.as_str(), said.as_str()), (Some(1), "(a)\n", "-:2:4: unexpected EOF\n"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.sxp");
    std::fs::write(&file, "a )").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(xend(&["sxp", file], ""), (Some(1), "a\n".into(), format!("{file}:1:3: syntax error: )\n")));
    let (status, _, said) = xend(&["sxp", "/nonexistent"], "");
    assert!(status == Some(1) && said.starts_with("xend: Cannot read /nonexistent: "), "{said}");
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
    let (status, out, said) = xend(&["check", &good], "");
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert!(
        out.contains("(maxmem 64)") && out.contains("(args 'root=/dev/sda1')") && !out.contains("geheim"),
        "{out}"
    );
    // What it prints is a configuration again.
    let again = file("again", &out);
    assert_eq!(xend(&["check", &again], "").1, out);
    let bad = file("bad", "(vm\n  (name 'a b')\n  (memory 64))");
    let (status, out, said) = xend(&["check", &good, &bad], "");
    assert!(status == Some(1) && out.contains("(name a)"));
    assert!(said.starts_with(&format!("{bad}:2:9: name: Invalid VM Name")), "{said}");
}
