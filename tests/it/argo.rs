//! Conversations in the Argo protocol: those of its own page word for word, and what clients do on
//! the way: pipelining, telnet, quotes, logins.

use crate::argo_support::{ArgoHost, Client, GENEROUS, account, nobody, operator};
use std::fs;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use xend::core::caller::{Caller, Via};
use xend::core::rights::Right;

/// The host of the page: four instances that everybody sees, of which `lj` runs and is steve's, and
/// three that another user has.
async fn host_of_the_page() -> ArgoHost {
    let host = ArgoHost::new().await;
    let shown = ["lj", "builder", "test", "dev"];
    for (number, name) in shown.iter().enumerate() {
        host.write_file(&number.to_string(), name);
    }
    host.run("lj", |_| ()).await;
    for name in ["one.my.flat", "two.my.flat", "three.my.flat"] {
        host.define(name, |_| ()).await;
    }
    let accounts = vec![
        account("steve", &["lj"], &[Right::See, Right::Power]),
        account("other", &["lj", "*.my.flat"], &[Right::See]),
        operator("root"),
    ];
    host.accounts.replace(accounts, Some(account("anonymous", &shown, &[Right::See])));
    host
}

/// Plays a conversation, in which lines of the client begin with `> `.
async fn play(client: &mut Client<TcpStream>, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/argo").join(name);
    for line in fs::read_to_string(path).unwrap().lines() {
        match line.strip_prefix("> ") {
            Some(sent) => client.send(format!("{sent}\n").as_bytes()).await,
            None => assert_eq!(client.line().await, format!("{line}\n"), "{name}"),
        }
    }
}

#[tokio::test]
async fn the_conversations_of_the_page_word_for_word() {
    let host = host_of_the_page().await;
    play(&mut host.connect().await, "nobody.txt").await;
    let mut owner = host.connect().await;
    play(&mut owner, "owner.txt").await;
    assert_eq!(owner.line().await, "", "exit closes the connection");
    assert_eq!(host.state("lj").await, Some("paused"));
    play(&mut host.log_in("other").await, "other.txt").await;
}

#[tokio::test]
async fn the_session_of_the_documentation_works() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/argo.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, session) = page.split_once("$ telnet host 20203\n").unwrap();
    let (session, _) = session.split_once("```").unwrap();
    let host = host_of_the_page().await;
    let mut client = host.connect().await;
    let mut rest = session;
    let mut commands = Vec::new();
    while let Some((command, answers)) = rest.split_once('\n') {
        let answer = client.ask(command).await;
        commands.push(command);
        rest = answers.strip_prefix(&answer).unwrap_or_else(|| panic!("{command}: {answer}"));
    }
    assert_eq!((rest, commands.len()), ("", 4), "{commands:?}");
}

/// A shell script with netcat and dialog sends all its lines at once, and closes its side.
#[tokio::test]
async fn lines_in_one_packet_are_answered_in_order() {
    let host = host_of_the_page().await;
    let mut stream = TcpStream::connect(host.listen().await).await.unwrap();
    stream.write_all(b"auth steve steve\nlist running\nnop\nfly\nexit\nnop\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(
        text,
        "200 OK\n300 DONE\n200 OK\nlj\n300 DONE\n200 OK\n300 DONE\n400 UNKNOWN COMMAND\n\
         200 OK\n300 DONE\n"
    );
}

#[tokio::test]
async fn many_lines_ahead_are_answered_in_order() {
    let host = host_of_the_page().await;
    let mut client = host.log_in("steve").await;
    client.send("fly\ninfo lj\n".repeat(300).as_bytes()).await;
    for _ in 0..300 {
        assert_eq!(client.line().await, "400 UNKNOWN COMMAND\n");
        let info = client.answer().await;
        assert!(info.starts_with("200 OK\nname: lj\n") && info.ends_with("300 DONE\n"), "{info}");
    }
}

#[tokio::test]
async fn bytes_may_arrive_one_by_one() {
    let host = host_of_the_page().await;
    let mut client = host.connect().await;
    client.stream().set_nodelay(true).unwrap();
    for byte in b"\xff\xfb\x18auth \xff\xfd\x03steve \"ste\xff\xf1ve\"\r\nunpause lj\r\0" {
        client.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await, "200 OK\n300 DONE\n");
    assert_eq!(client.answer().await, "200 OK\n300 DONE\n");
}

#[tokio::test]
async fn an_incomplete_line_is_no_command() {
    let host = host_of_the_page().await;
    let mut stream = TcpStream::connect(host.listen().await).await.unwrap();
    stream.write_all(b"auth steve steve\npause lj").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "200 OK\n300 DONE\n");
    assert_eq!(host.state("lj").await, Some("running"), "the name may go on: lj-test");
}

#[tokio::test]
async fn mistakes_are_told_apart() {
    let host = host_of_the_page().await;
    let mut client = host.log_in("steve").await;
    for (line, answer) in [
        ("fly", "400 UNKNOWN COMMAND\n"),
        ("PAUSE lj", "400 UNKNOWN COMMAND\n"),
        ("pause", "400 USAGE: pause NAME\n"),
        ("pause lj now", "400 USAGE: pause NAME\n"),
        ("list", "400 USAGE: list running|available\n"),
        ("list all", "400 USAGE: list running|available\n"),
        ("auth steve", "400 USAGE: auth USER PASSWORD\n"),
        ("nop nop", "400 USAGE: nop\n"),
        ("pause nosuch", "400 NO SUCH INSTANCE\n"),
        ("pause \"lj", "400 QUOTES ARE NOT CLOSED\n"),
        ("pause 'lj'x", "400 QUOTES ARE NOT CLOSED\n"),
        ("pause l\0j", "400 NOT UTF-8 TEXT\n"),
        ("start lj", "400 Cannot start domain lj: it is running\n"),
        ("load", "400 NOT ALLOWED\n"),
        ("dmesg", "400 NOT ALLOWED\n"),
        ("unpause 'lj'", "200 OK\n300 DONE\n"),
        ("  unpause\tlj  ", "200 OK\n300 DONE\n"),
    ] {
        assert_eq!(client.ask(line).await, answer, "{line}");
    }
    client.send(b"caf\xe9\n\n \r\nnop\n").await;
    assert_eq!(client.answer().await, "400 NOT UTF-8 TEXT\n");
    assert_eq!(client.answer().await, "200 OK\n300 DONE\n", "an empty line has no answer");
}

#[tokio::test]
async fn a_failed_login_changes_nothing() {
    let host = host_of_the_page().await;
    let mut client = host.connect().await;
    assert_eq!(client.ask("auth steve wrong").await, "400 NOT AUTHENTICATED\n");
    assert_eq!(client.ask("pause lj").await, "400 NOT AUTHENTICATED\n");
    assert_eq!(client.ask("auth busy x").await, "400 BUSY, TRY AGAIN\n");
    assert_eq!(client.ask("auth broken x").await, "400 LOGINS CANNOT BE CHECKED NOW\n");
    assert_eq!(client.ask("auth steve steve").await, "200 OK\n300 DONE\n");
    assert_eq!(client.ask("auth nosuch x").await, "400 NOT AUTHENTICATED\n");
    assert_eq!(client.ask("pause lj").await, "200 OK\n300 DONE\n", "steve is still logged in");
    assert_eq!(client.ask("auth other other").await, "200 OK\n300 DONE\n");
    assert_eq!(client.ask("pause lj").await, "400 NOT ALLOWED\n", "other is now");
}

#[tokio::test]
async fn a_session_ends_with_its_account() {
    let host = host_of_the_page().await;
    let mut client = host.log_in("steve").await;
    assert_eq!(client.ask("pause lj").await, "200 OK\n300 DONE\n");
    host.accounts.replace(vec![account("steve", &["lj"], &[Right::See])], None);
    assert_eq!(client.ask("unpause lj").await, "400 NOT ALLOWED\n", "the rights are today's");
    host.accounts.replace(vec![], None);
    assert_eq!(client.ask("unpause lj").await, "400 NOT AUTHENTICATED\n");
    assert_eq!(client.ask("list running").await, "400 NOT AUTHENTICATED\n");
    assert_eq!(client.ask("nop").await, "200 OK\n300 END\n");
}

/// The listener can know the caller: a user of this machine, or an operator.
#[tokio::test]
async fn a_known_caller_needs_no_login() {
    let host = host_of_the_page().await;
    let via = Via::Unix { uid: Some(0), pid: None };
    let mut operator = host.connect_as(Caller::operator(via.clone()), 4096);
    let running = operator.output("list running").await;
    assert_eq!(running, ["lj"], "Domain-0 is no instance");
    assert!(operator.output("dmesg").await.len() > 5);
    assert_eq!(operator.ask("stop Domain-0").await, "400 Domain 0 cannot be shutdown\n");
    let steve = host.accounts.get("steve").unwrap();
    let mut steve = host.connect_as(Caller::of_user(via, steve), 4096);
    assert_eq!(steve.ask("pause lj").await, "200 OK\n300 DONE\n");
    assert_eq!(steve.ask("pause Domain-0").await, "400 NO SUCH INSTANCE\n");
    assert_eq!(steve.ask("auth root root").await, "200 OK\n300 DONE\n");
    assert_eq!(steve.ask("unpause Domain-0").await, "400 Cannot unpause privileged domain 0\n");
}

#[tokio::test]
async fn the_daemon_says_that_it_stops() {
    let host = host_of_the_page().await;
    let mut client = host.connect().await;
    assert_eq!(client.ask("nop").await, "200 OK\n300 END\n");
    host.stopping.cancel();
    assert_eq!(client.line().await, "400 XEND IS STOPPING\n");
    assert_eq!(client.line().await, "");
}

#[tokio::test]
async fn a_change_goes_on_without_its_client() {
    let host = host_of_the_page().await;
    let mut client = host.log_in("steve").await;
    client.send(b"pause lj\n").await;
    drop(client);
    let paused = async {
        while host.state("lj").await != Some("paused") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GENEROUS, paused).await.expect("the domain is paused");
}

#[tokio::test]
async fn nobody_without_an_anonymous_account_sees_nothing() {
    let host = host_of_the_page().await;
    host.accounts.replace(vec![], None);
    let mut client = host.connect_as(nobody(), 4096);
    for line in ["list running", "list available", "info lj", "info nosuch", "load", "dmesg"] {
        assert_eq!(client.ask(line).await, "400 NOT AUTHENTICATED\n", "{line}");
    }
    let help = client.output("help").await;
    assert!(help.contains(&"pause NAME               Stop an instance's CPUs.".to_owned()));
    assert_eq!(help.len(), 19);
}
