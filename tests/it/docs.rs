//! The commands of README.md and of the pages in `docs/`, run as they stand there.

#[path = "../support/page.rs"]
mod page;

use page::{Session, fits, run_page, run_page_beside, run_prepared_page, steps};
use std::path::Path;

#[test]
fn the_session_of_the_readme_works() {
    let daemon = "xend --http 127.0.0.1:8000 --state-dir state --unix xend-socket";
    run_page_beside(Some(daemon), "README.md", &["8000"], &["curl", "python3"]);
}

#[test]
fn the_page_about_the_first_session_works() {
    run_page("docs/first-session.md", &["8000"], &["curl"]);
}

#[test]
fn the_page_about_consoles_works() {
    crate::xm_support::program();
    run_page("docs/console.md", &["8000"], &["curl", "xm"]);
}

#[test]
fn the_page_about_xm_works() {
    crate::xm_support::program();
    run_page("docs/xm.md", &["8000"], &["xm"]);
}

#[test]
fn the_page_about_configurations_works() {
    run_page("docs/configurations.md", &[], &[]);
}

#[test]
fn the_page_about_the_simulated_host_works() {
    run_page("docs/simulator.md", &["8000"], &["curl"]);
}

#[test]
fn the_page_about_xml_rpc_works() {
    run_page("docs/xml-rpc.md", &["8000", "9363"], &["curl", "python3"]);
}

#[test]
fn the_page_about_operating_works() {
    run_page("docs/operations.md", &[], &["curl"]);
}

#[test]
fn the_page_about_accounts_works() {
    let ports = ["8443", "9363", "20203"];
    run_page("docs/hosting.md", &ports, &["curl", "openssl", "python3"]);
}

#[test]
fn the_page_about_migration_works() {
    let ports = ["8000", "8003", "8010", "8013"];
    run_page("docs/migration.md", &ports, &["curl", "openssl", "pkill"]);
}

/// Where a definition of the old host is.
const DEFINITION: &str = "var/lib/xend/domains/11111111-2222-3333-4444-555555550030/config.sxp";

/// Makes a file with the directories above it.
fn write(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// Makes the files of a host with a managed domain, two files of xm, and the scripts of its Xen.
fn make_old_host(root: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures");
    for (fixture, file) in [
        ("config/debian-lenny.sxp", "etc/xen/xend-config.sxp"),
        ("xm-config/old1.cfg", "etc/xen/old1.cfg"),
        ("xm-config/win.hvm.cfg", "etc/xen/win.cfg"),
        ("store/xend-4.1-pv.sxp", DEFINITION),
    ] {
        write(root, file, &std::fs::read_to_string(fixtures.join(fixture)).unwrap());
    }
    for file in ["etc/xen/scripts/vif-bridge", "etc/xen/scripts/own", "etc/xen/xl.conf"] {
        write(root, file, "old");
    }
}

/// What the page says to do on the old and on the new host.
#[test]
fn the_files_of_an_old_host_leave_the_scripts_of_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new");
    make_old_host(&dir.path().join("old"));
    for file in ["etc/xen/scripts/vif-bridge", "etc/xen/xl.conf", "etc/xen/xend-config.sxp"] {
        write(&new, file, "new");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/from-xend.md")).unwrap();
    let commands: Vec<_> = page.lines().filter(|line| line.starts_with("tar -C / ")).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for (command, host) in commands.iter().zip(["old", "new", "new"]) {
        let command = command.replacen("-C /", &format!("-C {host}"), 1);
        let mut shell = std::process::Command::new("bash");
        let output = shell.args(["-c", &command]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let read = |file: &str| std::fs::read_to_string(new.join(file)).unwrap_or_default();
    assert_eq!(read("etc/xen/scripts/vif-bridge"), "new");
    assert_eq!(read("etc/xen/scripts/own"), "");
    assert_eq!(read("etc/xen/xl.conf"), "new");
    assert!(read("etc/xen/xend-config.sxp").contains("xend-relocation-server"));
    assert!(read("etc/xen/old1.cfg").contains("memory"));
    assert!(read(DEFINITION).contains("man1"));
}

#[test]
fn the_page_about_old_hosts_works() {
    let backup = |session: &mut Session| {
        make_old_host(&session.dir.path().join("old"));
        session.run("tar -C old -czf xend-backup.tar.gz etc/xen var/lib/xend; rm -r old");
    };
    run_prepared_page("docs/from-xend.md", &["8000"], &["curl", "tar"], backup);
}

#[test]
fn the_page_about_histories_works() {
    run_page("docs/history.md", &["8000"], &["curl", "python3"]);
}

#[test]
fn the_page_about_json_works() {
    run_page("docs/json.md", &["8000"], &["curl", "python3"]);
}

#[test]
fn the_page_about_the_guest_agent_works() {
    let programs = ["curl", "openssl", "python3", "xend-guest-agent"];
    run_page("docs/guest-agent.md", &["8000", "9363"], &programs);
}

#[test]
fn the_page_about_metrics_works() {
    run_page("docs/metrics.md", &["8000", "8007"], &["curl"]);
}

/// What is installed in a guest is not run here.
#[test]
fn the_page_about_the_guest_agent_installs_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/guest-agent.md")).unwrap();
    assert!(page.contains("agent/static") && root.join("agent/static").exists());
    let names = regex::Regex::new(r"xend-guest-agent\.[a-z0-9]+").unwrap();
    let names: Vec<&str> = names.find_iter(&page).map(|name| name.as_str()).collect();
    let missing: Vec<_> =
        names.iter().filter(|name| !root.join("agent/dist").join(name).exists()).collect();
    assert!(names.len() > 5 && missing.is_empty(), "{missing:?}");
}

/// The book has every page, and every link of README.md and of a page leads to a file.
#[test]
fn pages_are_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let link = regex::Regex::new(r"\]\(([^)#]+)[^)]*\)").unwrap();
    let summary = read(&root.join("docs/SUMMARY.md"));
    let mut pages = vec![root.join("README.md")];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "md") {
            let is_listed = summary.contains(&format!("({name})"));
            assert!(is_listed || name == "SUMMARY.md", "{name} is not in docs/SUMMARY.md");
            pages.push(path);
        }
    }
    for page in pages {
        for captures in link.captures_iter(&read(&page)) {
            let target = &captures[1];
            let exists = target.contains("://") || page.parent().unwrap().join(target).exists();
            assert!(exists, "{}: {target}", page.display());
        }
    }
}

/// Why a block of commands is not run here.
const NOT_RUN: [&str; 4] = [
    "sh install",  // changes the machine; tests/packages/run does that to a new Debian
    "sh real-xen", // is for a Xen host
    "sh guest",    // is for the inside of a guest
    "sh network",  // downloads; tests/sdk/run does the same
];

/// Blocks that are no commands.
const NO_COMMANDS: [&str; 3] = ["", "lisp", "yaml"];

/// The lines that begin a block, by number.
fn fences(page: &str) -> Vec<(usize, &str)> {
    let fences = page
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number + 1, line.trim_start().strip_prefix("```")?)));
    fences.step_by(2).collect()
}

#[test]
fn each_block_of_commands_is_run_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // What needs a feature has a test program of its own.
    let tests = ["tests/it/docs.rs", "tests/fleet/docs.rs", "tests/fleet/demo.rs"];
    let tests = tests.map(|file| std::fs::read_to_string(root.join(file)).unwrap()).concat();
    // A call may stand in several lines.
    let tests = tests.split_whitespace().collect::<Vec<_>>().join(" ");
    let pages = std::fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let pages = pages.filter(|page| Path::new(page).extension().is_some_and(|ext| ext == "md"));
    let mut marked = 0;
    for page in pages.chain(["README.md".to_owned()]) {
        let text = std::fs::read_to_string(root.join(&page)).unwrap();
        let is_run = tests.contains(&format!("\"{page}\", &"));
        for (line, fence) in fences(&text) {
            let is_console = fence == "console" || fence == "console daemon";
            let is_known = NOT_RUN.contains(&fence) || NO_COMMANDS.contains(&fence);
            assert!(is_known || (is_console && is_run), "{page}:{line}: ```{fence}");
            marked += usize::from(NOT_RUN.contains(&fence));
        }
    }
    assert!((8..=17).contains(&marked), "{marked} blocks are not run");
}

#[test]
fn steps_are_read_and_compared() {
    let page = "x\n```console\n$ a \\\n> b\n1\n2\n$ c\n```\n```sh\n$ no\n```\n```console daemon\n$ d\n```\n";
    let steps = steps(page);
    let commands: Vec<_> = steps.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(commands, ["a \\\nb", "c", "d"]);
    assert_eq!((steps[0].output.as_str(), steps[0].line), ("1\n2\n", 3));
    assert!(steps[2].is_daemon && !steps[1].is_daemon);
    assert!(fits("a...c...e", "abcdde") && fits("a", "a") && fits("...", "x"));
    assert!(!fits("a...c", "acb") && !fits("a", "ab") && !fits("a...b...c", "ac"));
}
