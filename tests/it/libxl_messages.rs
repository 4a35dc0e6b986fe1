//! Messages of libxl go to the operation that they are about: a program in C, since so is the code.

use std::path::Path;
use std::process::Command;

#[test]
fn an_operation_fails_in_its_own_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("messages");
    let sources = root.join("src/backend/libxl");
    let compiled = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", "-I"])
        .arg(&sources)
        .arg("-o")
        .arg(&program)
        .arg(root.join("tests/libxl/messages.c"))
        .arg(sources.join("messages.c"))
        .output();
    let Ok(compiled) = compiled else {
        println!("Skipped: there is no C compiler");
        return;
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let run = Command::new(&program).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}
