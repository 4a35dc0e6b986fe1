//! Disk images on their page: who has them, and how they are made, sent, cloned and deleted.

use crate::http_host_support::{send_and_follow, stored, upload};
use crate::http_json_support::{JSON, get, parsed, post};
use crate::http_support::{
    Daemon, Listener, connect, encoded, guest, open_page as open, send_form as send,
};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const PAGE: &str = "/xend/node/storage";
const MIB: usize = 1 << 20;

fn images(daemon: &Daemon) -> Vec<Value> {
    parsed(&get(daemon, PAGE, ""))["images"].as_array().unwrap().clone()
}

/// Makes an image as a program, and gives its path below the page.
fn create(daemon: &Daemon, name: &str, size: u32) -> String {
    let body = json!({"op": "create", "name": name, "size_mib": size}).to_string();
    let made = post(daemon, PAGE, "", &body);
    assert_eq!(made.status(), "201 Created", "{}", made.text());
    let (_, path) = made.header("location").unwrap().split_once("localhost").unwrap();
    path.to_owned()
}

fn file_of(image: &Value) -> String {
    image["location"].as_str().unwrap().strip_prefix("file:").unwrap().to_owned()
}

#[test]
fn an_image_is_made_cloned_grown_and_deleted_by_forms() {
    let daemon = Daemon::start(&[]);
    assert!(open(&daemon, PAGE).text().contains("No images."));
    let page = send_and_follow(&daemon, PAGE, "op=create&name=web+root&size=3");
    assert!(page.contains("The image has been created.") && page.contains("web root"), "{page}");
    let [image] = images(&daemon).try_into().unwrap();
    assert_eq!((&image["size_bytes"], &image["is_own"]), (&json!(3 * MIB), &json!(true)));
    assert_eq!((&image["format"], &image["content"]), (&json!("raw"), &json!("empty")));
    fs::write(file_of(&image), [7; 5000]).unwrap();
    let own = format!("{PAGE}/{}", image["uuid"].as_str().unwrap());
    assert!(send_and_follow(&daemon, &own, "op=resize&size=4").contains("has been resized"));
    assert!(send_and_follow(&daemon, &own, "op=clone&name=copy").contains("has been cloned"));
    let all = images(&daemon);
    let copy = all.iter().find(|image| image["name"] == "copy").unwrap();
    assert_eq!(copy["size_bytes"], json!(4 * MIB));
    assert_eq!(fs::read(file_of(copy)).unwrap()[..5001], [&[7; 5000][..], &[0]].concat());
    // An image does not shrink.
    let refused = send(&daemon, &own, "op=resize&size=1");
    assert!(refused.code == 422 && refused.text().contains("does not shrink"), "{refused:?}");

    let asked = open(&daemon, &format!("{own}/confirm?op=delete")).text();
    assert!(asked.contains("All data in the image are lost."), "{asked}");
    assert!(asked.contains(&format!(r#"method="post" action="{own}""#)), "{asked}");
    assert!(send_and_follow(&daemon, &own, "op=delete").contains("has been deleted"));
    assert!(!Path::new(&file_of(&image)).exists());
    assert_eq!((images(&daemon).len(), open(&daemon, &own).code), (1, 404));
    assert_eq!(get(&daemon, &own, "").code, 404);
}

#[test]
fn the_domains_of_an_image_are_shown_and_keep_it() {
    let daemon = Daemon::start(&[]);
    let path = create(&daemon, "root", 1);
    let image = parsed(&get(&daemon, &path, ""));
    let uname = image["location"].as_str().unwrap();
    for name in ["web1", "web2"] {
        let disk = format!("(device (vbd (uname {uname}) (dev xvdb) (mode r)))");
        let answer =
            daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&guest(name, &disk))));
        assert_eq!(answer.code, 200, "{answer:?}");
    }
    let list = open(&daemon, PAGE).text();
    assert!(list.contains(r#"<a href="/xend/domain/web1">web1</a>"#), "{list}");
    assert!(!list.contains("op=delete"), "an image that a domain has is not offered: {list}");
    assert_eq!(images(&daemon)[0]["domains"], json!(["web1", "web2"]));
    let refused = post(&daemon, &path, "", r#"{"op": "delete"}"#);
    assert_eq!(
        (refused.code, parsed(&refused)["detail"].as_str().unwrap().contains("is used by")),
        (409, true)
    );
}

#[test]
fn a_long_list_of_images_is_paged_and_filtered() {
    let daemon = Daemon::start(&[]);
    for number in 0..53 {
        create(&daemon, &format!("image{number:02}"), 1);
    }
    let names = |query: &str| -> Vec<String> {
        let page = open(&daemon, &format!("{PAGE}{query}")).text();
        let rows = page.split(r#"<th scope="row"><a "#).skip(1);
        let name = |row: &str| Some(row.split_once('>')?.1.split_once('<')?.0.to_owned());
        rows.map(|row| name(row).unwrap()).collect()
    };
    assert_eq!((names("").len(), names("")[0].as_str()), (50, "image00"));
    assert_eq!(names("?page=2"), ["image50", "image51", "image52"]);
    assert_eq!(names("?q=IMAGE4").len(), 10);
    let page = open(&daemon, &format!("{PAGE}?q=image&done=created")).text();
    assert!(page.contains("1–50 of 53"), "{page}");
    assert!(page.contains(r#"href="/xend/node/storage?q=image&amp;page=2" rel="next""#), "{page}");
    let refused = open(&daemon, &format!("{PAGE}?page=0"));
    assert!(refused.code == 422 && refused.text().contains("page: a number from 1"));
    assert!(
        open(&daemon, &format!("{PAGE}?q=%fc")).text().contains("value for q: it is not UTF-8")
    );
}

#[test]
fn an_image_that_does_not_exist_cannot_be_cloned() {
    let daemon = Daemon::start(&[]);
    let path = format!("{PAGE}/11111111-2222-3333-4444-555555555555");
    let answer = post(&daemon, &path, "", &json!({"op": "clone", "name": "ghost"}).to_string());
    assert_eq!((answer.code, &parsed(&answer)["code"]), (404, &json!("no_such_object")));
    assert_eq!(send(&daemon, &path, "op=clone&name=ghost").code, 404);
    let asked = open(&daemon, &format!("{path}/confirm?op=delete"));
    assert!(asked.code == 404 && asked.text().contains(&format!(r#"href="{PAGE}">Back"#)));
    assert!(images(&daemon).is_empty());
}

/// A form as browsers send it.
fn form(name: &str, file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--XX\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a.img\"\r\n\r\n"
    );
    [head.as_bytes(), file, b"\r\n--XX--\r\n"].concat()
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=XX\r\n";

#[test]
fn an_image_is_uploaded_as_a_form_or_as_it_is() {
    let daemon = Daemon::start(&[]);
    // It has a hole, and does not end with a part.
    let mut data = vec![0; 3 * MIB + 1234];
    data[..5].copy_from_slice(b"QFI\xfb\0");
    data[2 * MIB + 9] = 7;
    data.extend_from_slice(b"end");
    let by_browser =
        format!("{FORM}Origin: http://localhost\r\nUser-Agent: x\r\nAccept: text/html\r\n");
    let answer = upload(&daemon, "", &by_browser, &form("from a page", &data));
    assert_eq!(answer.status(), "303 See Other", "{}", answer.text());
    assert!(open(&daemon, answer.header("location").unwrap()).text().contains("has been uploaded"));
    let answer = upload(&daemon, "?name=by%20curl", JSON, &data);
    assert_eq!(answer.status(), "201 Created", "{}", answer.text());
    assert!(answer.header("location").unwrap().contains(PAGE));
    let all = images(&daemon);
    let names: Vec<_> = all.iter().map(|image| image["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["by curl", "from a page"]);
    for image in &all {
        assert_eq!((&image["size_bytes"], &image["format"]), (&json!(data.len()), &json!("qcow2")));
        assert!(fs::read(file_of(image)).unwrap() == data);
        let blocks = fs::metadata(file_of(image)).unwrap().blocks() * 512;
        assert!(blocks < 3 * MIB as u64, "zeros take no space: {blocks}");
    }
}

#[test]
fn an_upload_that_is_refused_or_breaks_off_leaves_nothing() {
    let daemon = Daemon::start(&[]);
    for (query, headers, body, code) in [
        ("", "Origin: http://evil.example\r\n", &b"data"[..], 403),
        ("", "Sec-Fetch-Site: cross-site\r\n", b"data", 403),
        ("", FORM, b"--XX\r\nContent-Disp", 406),
        ("", FORM, &form("a\u{1}b", b"data"), 500),
        ("", "", b"", 500),
        ("?name=a%0ab", "", b"data", 500),
        ("?name=a&name=b", "", b"data", 500),
    ] {
        let answer = upload(&daemon, query, headers, body);
        assert_eq!(answer.code, code, "{query} {headers}: {answer:?}");
    }
    // It announces more than the storage has, and more than an image can have.
    for (length, reason) in [(1_u64 << 43, "free ones"), (1 << 62, "virtual_size")] {
        let mut client = connect(&Listener::Tcp(daemon.tcp));
        let head = format!(
            "POST /xend/node/storage/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(reason), "{answer}");
    }
    let mut chunked = connect(&Listener::Tcp(daemon.tcp));
    chunked
        .write_all(
            b"POST /xend/node/storage/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
              Transfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n",
        )
        .unwrap();
    let mut answer = String::new();
    chunked.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("Content-Length: missing"), "{answer}");
    // It breaks off.
    let mut client = connect(&Listener::Tcp(daemon.tcp));
    let head = b"POST /xend/node/storage/upload HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Length: 4000000\r\n\r\n";
    client.write_all(&[&head[..], &vec![1; 2 * MIB]].concat()).unwrap();
    daemon.until("the image is begun", |daemon| !stored(daemon).is_empty());
    drop(client);
    daemon.until("nothing is left", |daemon| stored(daemon).is_empty());
    assert!(images(&daemon).is_empty());
}

#[test]
fn an_image_that_could_not_get_its_name_is_not_lost() {
    let daemon = Daemon::start(&[]);
    let mut client = connect(&Listener::Tcp(daemon.tcp));
    let head = b"POST /xend/node/storage/upload HTTP/1.1\r\nHost: localhost\r\n\
                 Connection: close\r\nContent-Length: 3145728\r\n\r\n";
    client.write_all(&[&head[..], &vec![7; 2 * MIB]].concat()).unwrap();
    daemon.until("the image is begun", |daemon| !stored(daemon).is_empty());
    let (part, _) = stored(&daemon).remove(0);
    let uuid = part.file_name().unwrap().to_str().unwrap().strip_prefix(".part-").unwrap();
    let image = part.with_file_name(format!("{uuid}.img"));
    fs::create_dir(&image).unwrap();
    client.write_all(&vec![7; MIB]).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert_eq!(images(&daemon).len(), 1);
    fs::remove_dir(&image).unwrap();
    let daemon = daemon.killed_and_restarted();
    let size = 3 * MIB as u64;
    assert_eq!((stored(&daemon), images(&daemon).len()), (vec![(image.clone(), size)], 1));
    assert_eq!(fs::read(&image).unwrap(), vec![7; 3 * MIB]);
}

#[test]
fn a_killed_daemon_leaves_no_part_of_an_upload() {
    let daemon = Daemon::start(&[]);
    let mut client = connect(&Listener::Tcp(daemon.tcp));
    let head = b"POST /xend/node/storage/upload HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Length: 4000000\r\n\r\n";
    client.write_all(&[&head[..], &vec![1; 2 * MIB]].concat()).unwrap();
    daemon.until("the image is begun", |daemon| !stored(daemon).is_empty());
    let daemon = daemon.killed_and_restarted();
    assert_eq!((stored(&daemon), images(&daemon).len()), (vec![], 0));
}
