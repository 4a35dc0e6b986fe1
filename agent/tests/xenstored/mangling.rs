//! What Xen's tools do to requests and responses, which OpenStack's plug-in writes and reads by
//! them.

use crate::guest::{Guest, HOME};
use crate::machine::{Moments, success, wait};
use crate::xenstore_tools::{read, write};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::path::GuestPath;
use xend_xenstore::Nodes;

const PLUGINS: &str = "[plugins]\ndirectory = \"/commands\"\n";

/// The plug-in runs the tools themselves.
#[test]
fn the_tools_themselves_are_understood() {
    let Some(guest) = Guest::with("") else { return };
    let tool = |name: &str, arguments: &[&str]| {
        let output = guest.xenstored.tool(name)?.args(arguments).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    if guest.xenstored.tool("xenstore-write").is_none() {
        return;
    }
    let contents = "a\\b\"c\n\u{e9}'";
    let value = GuestFile { path: GuestPath::new("/etc/motd").unwrap(), contents: contents.into() };
    let requests = [
        json!({"name": "version", "value": "agent"}),
        json!({"name": "features", "value": ""}),
        json!({"name": "injectfile", "value": value.to_injectfile().unwrap()}),
        json!({"name": "a\nb", "value": ""}),
        json!({"name": "a\u{1}b", "value": ["\\", "\""]}),
    ];
    let mut codes = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        let path = |directory| format!("{HOME}/data/{directory}/{number}");
        tool("xenstore-write", &[&path("host"), &request.to_string()]).unwrap();
        let line = wait(|| tool("xenstore-read", &[&path("guest")])).unwrap();
        let response: Value = serde_json::from_str(&line).unwrap();
        codes.push(response["returncode"].as_str().unwrap().to_owned());
        assert!(response["message"].is_string(), "{response}");
    }
    assert_eq!(codes, ["0", "0", "0", "404", "500"]);
    assert_eq!(guest.read("/etc/motd"), contents);
}

/// The model by which all other tests here write and read.
#[test]
fn the_tools_do_what_their_model_does() {
    let Some(guest) = Guest::new() else { return };
    let mut host = guest.xenstored.client();
    let mut moments = Moments(1);
    // A tool's argument holds no NUL, and does not begin like an option. xenstored takes no empty
    // value from xenstore-write.
    let pieces: [&[u8]; 16] = [
        b"\\n",
        b"\\\\",
        b"\\\"",
        b"\\u00e9",
        b"\\x4",
        b"\\x",
        b"\\x41",
        b"\\101",
        b"\\7",
        b"\\z",
        b"\n",
        b"\"",
        b"a",
        b"\xc3\xa9",
        b"\xff",
        b" ",
    ];
    for round in 0..60 {
        let mut value = b"v".to_vec();
        for _ in 0..moments.below(8) {
            value.extend_from_slice(pieces[moments.below(pieces.len())]);
        }
        let Some(mut tool) = guest.xenstored.tool("xenstore-write") else { return };
        let argument = std::ffi::OsStr::from_bytes(&value);
        assert!(tool.arg("/tool/test").arg(argument).status().unwrap().success());
        let written = host.read("/tool/test").unwrap();
        let lossless = std::str::from_utf8(&value);
        if let Ok(text) = lossless {
            assert_eq!(written, write(text), "round {round}: {text:?}");
        }
        let Some(mut tool) = guest.xenstored.tool("xenstore-read") else { return };
        let output = tool.arg("/tool/test").output().unwrap();
        assert_eq!(output.stdout, format!("{}\n", read(&written)).into_bytes(), "round {round}");
    }
}

#[test]
fn requests_that_are_mangled_are_read_as_far_as_they_can_be() {
    let Some(mut guest) = Guest::with("") else { return };
    let unknown = |name: &str| ("404".to_owned(), format!("No such agent command '{name}'"));
    assert_eq!(guest.ask("a\nb\tc\rd", ""), unknown("a b c d"));
    assert_eq!(guest.ask("\u{e9}", ""), unknown("u00e9"));
    // One backslash of two is lost, and what is left is another escape.
    assert_eq!(guest.ask("a\\bc", ""), unknown("a c"));
    assert_eq!(guest.ask("a\\/c", ""), unknown("a/c"));
    // These are no JSON any more.
    for name in ["a\"b", "a\\c", "a\\"] {
        assert_eq!(guest.ask(name, ""), ("500".to_owned(), "Request is malformed".to_owned()));
    }
    // Python prints blanks, and other libraries what they like.
    for text in [
        "{\"name\": \"version\", \"value\": \"agent\"}",
        "{\\n\\t\"value\" : null ,\\r\\n \"name\" : \"version\"}\\n",
        "\\x7b\"name\":\"v\\145rsion\"}",
    ] {
        assert_eq!(guest.ask_text(text).1, "1.39.1", "{text}");
    }
}

#[test]
fn values_reach_programs_as_the_host_wrote_them() {
    let Some(mut guest) = Guest::new() else { return };
    guest.configure(PLUGINS);
    guest.script("/commands/keep", "cat > \"$0.value\"");
    guest.start();
    let values = [
        json!(""),
        json!("line 1\nline 2\ttab\n"),
        json!("None"),
        json!("$(id) `id` ; & | ' *"),
        json!({"a": [1, "b\nc"]}),
    ];
    for value in values {
        assert_eq!(guest.ask("keep", value.clone()), success(), "{value}");
        let kept: Value = serde_json::from_str(&guest.read("/commands/keep.value")).unwrap();
        assert_eq!(kept, value);
    }
}

/// Whatever a program prints, the host reads an object of two texts: `ask` checks that.
#[test]
fn messages_of_any_bytes_reach_the_host() {
    let Some(mut guest) = Guest::new() else { return };
    guest.configure(PLUGINS);
    guest.script("/commands/print", "cat \"$0.bytes\"; exit 9");
    guest.start();
    let mut moments = Moments(2);
    let interesting = b"\\\"\n\t\r\0\x01\x1b\x7f\x80\xc3\xa9\xff{}[]',:/ un0x";
    for round in 0..80 {
        let length = [0, 1, 3, 20, 300, 1899, 1900, 1901, 2100, 6000][round % 10];
        let mut byte = || match moments.below(3) {
            0 => u8::try_from(moments.below(256)).unwrap(),
            _ => interesting[moments.below(interesting.len())],
        };
        let bytes: Vec<u8> = (0..length).map(|_| byte()).collect();
        fs::write(guest.path("/commands/print.bytes"), &bytes).unwrap();
        let (code, message) = guest.ask("print", "");
        assert_eq!(code, "9");
        assert!(message.len() <= 1900, "{}", message.len());
    }
}
