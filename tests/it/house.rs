//! The rules of the house, see `ARCHITECTURE.md`: which module may import which, no circle of
//! files, and what no source file holds.
//!
//! Files are read token by token. A path is followed through re-exports to the file that defines
//! what it names, so `mod.rs` files that only hand names on are in no circle.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A module, and the modules that it may import beside itself: those of this crate, and the crates
/// that `lib.rs` hands on.
const RULES: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("shape", &["core", "sxp"]),
    ("fleet", &["bounded_file", "core", "durable", "pem", "shape", "state_file", "sxp"]),
    ("xm_file", &["core", "shape", "xmconfig"]),
    ("store", &["core", "durable", "held_dir", "host_file", "shape", "state_file", "sxp"]),
    (
        "backend::sim",
        &[
            "backend::load_average",
            "backend::rfb_login",
            "backend::uname",
            "core",
            "dir_lock",
            "durable",
            "shape",
            "state_file",
            "sxp",
        ],
    ),
    (
        "backend::libxl",
        &["backend::load_average", "backend::rfb_login", "backend::uname", "core", "shape", "sxp"],
    ),
    ("wire::relocation", &["core", "memory_budget", "peer_tls", "peers", "shape", "sxp"]),
    ("wire::argo", &["answer_memory", "core", "host_file", "memory_budget", "shape"]),
    (
        "wire::http",
        &["answer_memory", "call_reference", "core", "long_body", "memory_budget", "shape", "sxp"],
    ),
    ("wire::metrics", &["answer_memory", "core", "memory_budget", "peers"]),
    ("wire::xmlrpc", &["answer_memory", "call_reference", "core", "memory_budget", "shape", "sxp"]),
    (
        "server",
        &[
            "config",
            "core::caller",
            "core::ports",
            "core::rights",
            "long_body",
            "parent_dir",
            "peer_tls",
            "peers",
            "pem",
        ],
    ),
    (
        "config",
        &[
            "bounded_file",
            "core::fleet",
            "core::model",
            "fleet::keys",
            "fleet::settings",
            "peer_tls",
            "sxp",
        ],
    ),
    ("cli", &["config", "core::fleet", "core::model", "version"]),
    ("call_reference", &[]),
    ("long_body", &[]),
    ("version", &[]),
    ("parent_dir", &[]),
    // The binary's own: it wires all.
    (
        "daemon",
        &[
            "allocator",
            "auth",
            "backend",
            "call_reference",
            "config",
            "core",
            "dir_lock",
            "durable",
            "fleet",
            "memory_budget",
            "os",
            "parent_dir",
            "peer_tls",
            "peers",
            "pem",
            "server",
            "shape",
            "state_file",
            "store",
            "wire",
            "xm_file",
            "xmconfig",
        ],
    ),
    ("check", &["shape", "sxp", "xmconfig"]),
    (
        "fleet_command",
        &[
            "cli",
            "config",
            "core::error",
            "core::fingerprint",
            "core::fleet",
            "core::model",
            "core::placement",
            "core::ports",
            "fleet",
            "os",
            "parent_dir",
            "peer_tls",
            "shape",
            "store",
            "sxp",
            // `xend fleet doctor` connects to other hosts as a request does.
            "wire::relocation",
        ],
    ),
    (
        "guard_command",
        &[
            "backend::libxl",
            "backend::sim",
            "cli",
            "config",
            "core::guard",
            "core::model",
            "core::ports",
            "fleet",
            "os",
            "server::telemetry",
            "store",
        ],
    ),
    ("user_command", &["auth", "cli", "config", "core::rights", "parent_dir"]),
    ("os", &["core::ports"]),
    (
        "auth",
        &[
            "core::caller",
            "core::model",
            "core::ports",
            "core::rights",
            "durable",
            "host_file",
            "os",
            "parent_dir",
            "sxp",
        ],
    ),
    ("allocator", &[]),
    ("durable", &[]),
    ("held_dir", &["host_file"]),
    ("state_file", &["core::ports", "durable", "host_file", "os"]),
    ("dir_lock", &["durable", "held_dir", "host_file", "state_file"]),
    ("host_file", &[]),
    ("bounded_file", &[]),
    ("memory_budget", &[]),
    ("answer_memory", &["memory_budget"]),
    ("peers", &["core::model"]),
    ("pem", &["bounded_file"]),
    ("peer_tls", &["core::fingerprint", "pem"]),
    // What both hypervisors share.
    ("backend", &["core"]),
    ("wire", &[]),
    ("lib", &[]),
];

/// A crate, and the files and folders that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("axum", &["daemon", "wire", "server"]),
    ("hyper", &["fleet_command/daemon.rs", "wire", "server"]),
    ("multer", &["wire/http"]),
    ("quick_xml", &["wire/xmlrpc/codec"]),
    ("tokio_rustls", &["peer_tls", "peer_tls.rs", "pem.rs", "server", "wire/relocation"]),
    ("ring", &["fleet/seal.rs", "peer_tls", "peer_tls.rs", "server"]),
    ("argon2", &["auth"]),
    ("base64ct", &["fleet/join.rs", "fleet/seal.rs", "server", "wire/http", "wire/xmlrpc/codec"]),
    ("etcd_client", &["fleet/etcd", "fleet/etcd.rs"]),
    ("tonic", &["fleet/etcd"]),
    ("blake2", &["auth", "fleet/keys.rs"]),
    ("nonstick", &["auth"]),
    ("schemars", &["wire/http/json"]),
    ("serde_urlencoded", &["wire/http"]),
    ("xend_templates", &["wire/http"]),
    ("prometheus_client", &["wire/metrics"]),
    ("xend_libvirt_xml", &["check.rs"]),
    ("xend_password_prompt", &["fleet_command.rs", "user_command.rs"]),
    ("xend_sxp", &["lib.rs"]),
    ("xend_xmconfig", &["lib.rs"]),
    ("xend_guest_protocol", &["backend/sim", "core/guest", "wire/http"]),
    ("xend_xenstore", &["backend/libxl"]),
    ("anyhow", &["daemon", "main.rs"]),
    ("libc", &["allocator.rs"]),
    ("clap", &["main.rs", "cli", "cli.rs", "config"]),
    (
        "rustix",
        &[
            "auth",
            "backend",
            "cli/running.rs",
            "config",
            "dir_lock.rs",
            "durable.rs",
            "fleet/guard",
            "guard_command",
            "guard_command.rs",
            "held_dir.rs",
            "host_file.rs",
            "parent_dir.rs",
            "server",
            "state_file.rs",
            "store",
            "wire/argo",
        ],
    ),
];

#[test]
fn modules_import_only_what_they_may() {
    let house = House::read(&source_root());
    for (file, imports) in &house.imports {
        // The binary wires all.
        if file == Path::new("main.rs") {
            continue;
        }
        let importer = rule_path(file);
        let covers = |module: &str, path: &[String]| {
            let path = path.join("::");
            path == module || path.starts_with(&format!("{module}::"))
        };
        let rule = RULES.iter().find(|(module, _)| covers(module, &importer));
        let (module, allowed) = rule.unwrap_or_else(|| panic!("No rule covers {}", file.display()));
        for import in imports {
            let target = rule_path(import);
            let mut allowed = allowed.iter().chain([module]);
            assert!(
                allowed.any(|allowed| covers(allowed, &target)),
                "{}: {module} must not import {}",
                file.display(),
                target.join("::"),
            );
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = House::read(&source_root()).circles();
    let shown: Vec<String> = circles.iter().map(|circle| describe(circle)).collect();
    assert!(circles.is_empty(), "{} circles of files:\n{}", circles.len(), shown.join("\n"));
}

#[test]
fn the_other_crates_have_no_circles_either() {
    for root in crate_roots() {
        let circles = House::read(&root).circles();
        assert!(circles.is_empty(), "{}: {circles:?}", root.display());
    }
}

#[test]
fn a_circle_is_found_through_any_kind_of_path() {
    let sources = [
        ("lib.rs", "pub mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::{self, Thing}; pub struct Above;"),
        ("b/mod.rs", "mod low; pub use low::Thing;"),
        ("b/low.rs", "pub struct Thing; fn f() { println!(\"{}\", crate::a::N) }"),
        ("c.rs", "mod inner { use super::super::d::X; } // use crate::a::Above;"),
        ("d.rs", "#[cfg(test)] mod tests { use crate::c::Y; } const S: &str = \"crate::c::Y\";"),
    ];
    let house = House::of(sources.map(|(name, text)| (PathBuf::from(name), text.to_owned())));
    let circle = |names: [&str; 2]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(house.circles(), [circle(["a.rs", "b/low.rs"])]);
    assert_eq!(house.imports[Path::new("c.rs")], BTreeSet::from([PathBuf::from("d.rs")]));
}

#[test]
fn a_crate_that_the_root_hands_on_is_imported_by_its_name_there() {
    let sources = [("lib.rs", "pub use the_letters as a; mod b;"), ("b.rs", "use crate::a::X;")];
    let house = House::of(sources.map(|(name, text)| (PathBuf::from(name), text.to_owned())));
    assert_eq!(house.imports[Path::new("b.rs")], BTreeSet::from([PathBuf::from("a")]));
}

#[test]
fn a_crate_stays_where_it_belongs() {
    for (path, text) in sources(&source_root()) {
        let tokens = tokens_of(&text);
        for &(name, homes) in HOMES {
            let named = tokens.windows(2).any(|pair| pair[0] == name && pair[1] == "::");
            let at_home = homes.iter().any(|home| path.starts_with(home));
            assert!(at_home || !named, "{}: {name} does not belong here", path.display());
        }
    }
}

#[test]
fn the_pages_depend_on_maud_alone() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let named: Vec<&str> = dependencies.lines().filter(|line| line.contains('=')).collect();
    assert_eq!(named, ["maud.workspace = true"]);
}

/// Files of other projects are served as they came.
#[test]
fn files_of_other_projects_are_unchanged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/assets/vendor");
    let mut sums = Command::new("sha256sum");
    let sums = sums.args(["--check", "--strict", "--quiet", "SHA256SUMS"]);
    let status = sums.current_dir(&folder).status().unwrap();
    assert!(status.success());
    let listed = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    for file in files_below(&folder) {
        let name = file.strip_prefix(&folder).unwrap().to_str().unwrap();
        if !["README.md", "SHA256SUMS"].contains(&name) {
            assert!(listed.contains(&format!("  {name}\n")), "{name} has no checksum");
            // A folder has one origin.
            let origin = name.split_inclusive('/').next().unwrap();
            assert!(readme.contains(&format!("`{origin}`")), "{name} has no origin");
        }
    }
}

#[test]
fn files_stay_readable() {
    // Files of tests alone may be longer.
    let is_code = |(path, _): &(PathBuf, String)| !path.ends_with("tests.rs");
    for (path, text) in all_sources().into_iter().filter(is_code) {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
        assert!(code <= 400, "{} has {code} lines before its tests", path.display());
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let table = line.contains(" | ") || line.contains("http");
            assert!(
                !comment || table || line.chars().count() <= 100,
                "{}:{}: a comment wider than 100 columns",
                path.display(),
                number + 1
            );
        }
    }
}

/// Types, functions, constants and modules that are public say what they are. Fields need it only
/// where their name does not, which no lint can tell.
#[test]
fn public_items_are_documented() {
    let mut missing = Vec::new();
    for (path, text) in all_sources() {
        let tokens = tokens_of(&text);
        for (at, pair) in tokens.windows(3).enumerate() {
            let item = ["fn", "async", "const", "struct", "enum", "trait", "type", "static"];
            if pair[0] != "pub" || !item.contains(&pair[1].as_str()) {
                continue;
            }
            if !has_doc(&tokens[..at]) {
                let name = tokens[at + 1..].iter().find(|word| !item.contains(&word.as_str()));
                missing.push(format!("{}: {}", path.display(), name.unwrap()));
            }
        }
    }
    assert!(missing.is_empty(), "Public items without documentation:\n{}", missing.join("\n"));
}

/// Whether the attributes at the end of `tokens` have a doc comment among them.
fn has_doc(tokens: &[String]) -> bool {
    let mut end = tokens.len();
    while end > 0 && tokens[end - 1] == "]" {
        let Some(start) = opening(&tokens[..end]) else { return false };
        if tokens.get(start + 1).is_some_and(|word| word == "doc") {
            return true;
        }
        end = start.saturating_sub(1);
    }
    false
}

/// Where the bracket is that the last token closes.
fn opening(tokens: &[String]) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        match token.as_str() {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Where other crates of the workspace have their sources.
fn crate_roots() -> impl Iterator<Item = PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    [
        "agent",
        "fleet-model",
        "guest-protocol",
        "libvirt-xml",
        "password-prompt",
        "spelling",
        "sxp",
        "templates",
        "xenstore",
        "xm",
        "xmconfig",
    ]
    .map(|name| root.join(name).join("src"))
    .into_iter()
}

/// The Rust files of all crates.
fn all_sources() -> Vec<(PathBuf, String)> {
    let others = crate_roots().flat_map(|root| sources(&root));
    sources(&source_root()).into_iter().chain(others).collect()
}

/// The Rust files below `root`, by their paths from there.
fn sources(root: &Path) -> Vec<(PathBuf, String)> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root).unwrap().to_owned(), text)
    };
    files_below(root).into_iter().filter(is_rust).map(read).collect()
}

/// The files in a folder and those below it, sorted.
fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// `a.rs -> b.rs -> a.rs`
fn describe(circle: &[PathBuf]) -> String {
    let names = circle.iter().chain(circle.first()).map(|file| file.display().to_string());
    names.collect::<Vec<_>>().join(" -> ")
}

/// The files of a crate and what each imports.
struct House {
    modules: BTreeMap<Vec<String>, Source>,
    imports: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

struct Source {
    file: PathBuf,
    /// Without what is compiled for tests only.
    tokens: Vec<String>,
    uses: Vec<Use>,
}

/// One name that a `use` brings in.
#[derive(Clone)]
struct Use {
    path: Vec<String>,
    /// The name that it has here; `*` for all.
    name: String,
    public: bool,
    /// The modules inside of the file that the `use` stands in.
    inner: usize,
}

impl House {
    fn read(root: &Path) -> Self {
        Self::of(sources(root))
    }

    fn of(sources: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let mut modules = BTreeMap::new();
        for (file, text) in sources {
            let tokens = without_tests(&tokens_of(&text));
            let uses = uses_of(&tokens);
            modules.insert(module_path(&file), Source { file, tokens, uses });
        }
        // A file that is a module of tests alone is declared in no code that is left.
        let declared: HashSet<Vec<String>> =
            modules.iter().flat_map(|(module, source)| children(module, source)).collect();
        let root = |module: &Vec<String>| module.is_empty() || *module == ["main"];
        modules.retain(|module, _| root(module) || declared.contains(module));
        let mut house = Self { modules, imports: BTreeMap::new() };
        for (module, source) in &house.modules {
            let imports = house.imports_of(module, source);
            house.imports.insert(source.file.clone(), imports);
        }
        house
    }

    fn imports_of(&self, module: &[String], source: &Source) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for one in &source.uses {
            // What is only handed on is no import.
            if one.public && !is_used(&source.tokens, &one.name) {
                continue;
            }
            found.extend(self.resolve(module, one.inner, &one.path));
        }
        for (inner, path) in paths_of(&source.tokens) {
            found.extend(self.resolve(module, inner, &path));
        }
        found.remove(&source.file);
        found
    }

    /// The file that defines what a path names, if it is a file of this crate. A crate that the
    /// root hands on (`pub use xend_sxp as sxp`) counts as a file of the name that it has there.
    fn resolve(&self, module: &[String], inner: usize, path: &[String]) -> Option<PathBuf> {
        self.resolve_within(module, inner, path, &mut HashSet::new())
    }

    fn resolve_within(
        &self,
        module: &[String],
        inner: usize,
        path: &[String],
        seen: &mut HashSet<(Vec<String>, Vec<String>)>,
    ) -> Option<PathBuf> {
        if !seen.insert((module.to_vec(), path.to_vec())) {
            return None;
        }
        let mut at = if module == ["main"] { Vec::new() } else { module.to_vec() };
        let mut rest = path;
        let mut inner = inner;
        match path.first()?.as_str() {
            "crate" | "xend" => {
                at.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    if inner > 0 {
                        inner -= 1;
                    } else {
                        at.pop()?;
                    }
                    rest = &rest[1..];
                }
            }
            // A child of this file, else a crate or something that a `use` brought in.
            child => {
                let mut below = at.clone();
                below.push(child.to_owned());
                if !self.modules.contains_key(&below) {
                    return None;
                }
            }
        }
        while let Some(segment) = rest.first() {
            at.push(segment.clone());
            if !self.modules.contains_key(&at) {
                at.pop();
                break;
            }
            rest = &rest[1..];
        }
        let source = self.modules.get(&at)?;
        let Some(item) = rest.first().filter(|item| *item != "*" && *item != "self") else {
            return Some(source.file.clone());
        };
        if let Some(one) = source.uses.iter().find(|one| one.inner == 0 && one.name == *item) {
            if let Some(file) = self.resolve_within(&at, 0, &one.path, seen) {
                return Some(file);
            }
            if at.is_empty() && one.path.len() == 1 {
                return Some(PathBuf::from(item));
            }
        }
        Some(source.file.clone())
    }

    /// The shortest circle through each file that is in one and in no shorter one before it.
    fn circles(&self) -> Vec<Vec<PathBuf>> {
        let mut found: Vec<Vec<PathBuf>> = Vec::new();
        for file in self.imports.keys() {
            if found.iter().any(|circle| circle.contains(file)) {
                continue;
            }
            found.extend(self.circle_through(file));
        }
        found
    }

    fn circle_through(&self, start: &PathBuf) -> Option<Vec<PathBuf>> {
        let mut from: HashMap<&PathBuf, &PathBuf> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(file) = queue.pop_front() {
            for import in self.imports.get(file).into_iter().flatten() {
                if import == start {
                    let mut circle = vec![file.clone()];
                    let mut at = file;
                    while let Some(before) = from.get(at).filter(|_| at != start) {
                        circle.push((*before).clone());
                        at = before;
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if !from.contains_key(import) {
                    from.insert(import, file);
                    queue.push_back(import);
                }
            }
        }
        None
    }
}

/// `wire/http/mod.rs` is the module `wire::http`.
fn module_path(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// The same, by which [`RULES`] name the root of the crate `lib`.
fn rule_path(file: &Path) -> Vec<String> {
    let module = module_path(file);
    if module.is_empty() { vec!["lib".to_owned()] } else { module }
}

/// A file's tokens in one row, groups with their brackets. A literal is `""`, `::` is one token.
fn tokens_of(text: &str) -> Vec<String> {
    fn flatten(stream: TokenStream, row: &mut Vec<String>) {
        for tree in stream {
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    row.push(open.to_owned());
                    flatten(group.stream(), row);
                    row.push(close.to_owned());
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => match row.last_mut() {
                    Some(last) if last == ":" => last.push(':'),
                    _ => row.push(":".to_owned()),
                },
                TokenTree::Punct(punct) => row.push(punct.as_char().to_string()),
                TokenTree::Ident(ident) => row.push(ident.to_string()),
                TokenTree::Literal(_) => row.push("\"\"".to_owned()),
            }
        }
    }
    let mut row = Vec::new();
    flatten(text.parse().unwrap(), &mut row);
    row
}

/// Leaves out each item under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let marker = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().map(String::as_str).take(marker.len()).eq(marker) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += marker.len();
        let mut depth = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            let last = tokens[at - 1].as_str();
            // A field or variant ends with a comma or with the braces around it.
            if depth < 0 {
                at -= 1;
                break;
            }
            if depth == 0 && matches!(last, "}" | ";" | ",") {
                break;
            }
        }
    }
    kept
}

/// The modules that a file declares.
fn children(module: &[String], source: &Source) -> Vec<Vec<String>> {
    let declared = source.tokens.windows(3).filter(|three| three[0] == "mod" && three[2] == ";");
    let parent = if module == ["main"] { &[] } else { module };
    declared.map(|three| [parent, &three[1..2]].concat()).collect()
}

/// Whether a name occurs outside of `use` declarations.
fn is_used(tokens: &[String], name: &str) -> bool {
    let mut within_use = false;
    tokens.iter().any(|token| {
        match token.as_str() {
            "use" => within_use = true,
            ";" => within_use = false,
            _ => {}
        }
        !within_use && token == name
    })
}

fn uses_of(tokens: &[String]) -> Vec<Use> {
    let mut found = Vec::new();
    for (at, inner) in positions(tokens, "use") {
        let public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
        let end = at + tokens[at..].iter().position(|token| token == ";").unwrap();
        let mut names = Vec::new();
        expand(&tokens[at + 1..end], &[], &mut names);
        found.extend(names.into_iter().map(|(path, name)| Use { path, name, public, inner }));
    }
    found
}

/// Each path of a tree such as `a::{b, c::{self, d as e}}`, with the name that it has.
fn expand(tree: &[String], before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    let mut name = None;
    let mut at = 0;
    while at < tree.len() {
        match tree[at].as_str() {
            "::" => {}
            "as" => {
                name = tree.get(at + 1).cloned();
                at += 1;
            }
            "{" => {
                let mut depth = 0;
                let mut start = at + 1;
                for end in at..tree.len() {
                    match tree[end].as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 || (depth == 1 && tree[end] == ",") {
                        expand(&tree[start..end], &path, found);
                        start = end + 1;
                    }
                }
                return;
            }
            "self" if !path.is_empty() => {}
            segment => path.push(segment.to_owned()),
        }
        at += 1;
    }
    if path.len() > before.len() || tree.iter().any(|token| token == "self") {
        let last = path.last().cloned().unwrap_or_default();
        found.push((path, name.unwrap_or(last)));
    }
}

/// Where a word is, with the number of inline modules around it.
fn positions(tokens: &[String], word: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut modules: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2] == "mod" {
                    modules.push(depth);
                }
            }
            "}" => {
                if modules.last() == Some(&depth) {
                    modules.pop();
                }
                depth = depth.saturating_sub(1);
            }
            _ if token == word => found.push((at, modules.len())),
            _ => {}
        }
    }
    found
}

/// Paths of two segments and more that stand in code, with the number of inline modules around.
fn paths_of(tokens: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut within_use = false;
    let inner: HashMap<usize, usize> = positions(tokens, "::").into_iter().collect();
    for at in 0..tokens.len() {
        match tokens[at].as_str() {
            "use" => within_use = true,
            ";" => within_use = false,
            _ => {}
        }
        let first = at + 1 < tokens.len()
            && tokens[at + 1] == "::"
            && (at == 0 || tokens[at - 1] != "::")
            && tokens[at].starts_with(|c: char| c.is_alphabetic() || c == '_');
        if within_use || !first {
            continue;
        }
        let mut path = vec![tokens[at].clone()];
        let mut next = at + 1;
        while next + 1 < tokens.len() && tokens[next] == "::" {
            let word = &tokens[next + 1];
            if !word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                break;
            }
            path.push(word.clone());
            next += 2;
        }
        found.push((inner[&(at + 1)], path));
    }
    found
}
