//! xend on the simulator, and a client for scripts.

use crate::ports::free_address;
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};

/// The file with the accounts, beside the daemon's state.
const USERS: &str = "users.sxp";

/// A running daemon with its own state directory.
pub struct Daemon {
    _child: Child,
    xend: PathBuf,
    dir: tempfile::TempDir,
    address: String,
}

/// A response.
pub struct Answer {
    pub code: u16,
    /// The body, possibly compressed.
    pub sent: Vec<u8>,
}

impl Daemon {
    /// Starts the daemon and waits until it accepts connections.
    pub async fn start(xend: &Path, configuration: &str) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, xend, configuration).await
    }

    /// Starts a daemon on whose pages users log in. There is an account `steve` for the domains
    /// `steve-*`.
    pub async fn start_with_accounts(xend: &Path, password: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let rights = ["--domains", "steve-*", "--rights", "see,power,console"];
        let add = [&["add", "steve"], &rights[..]].concat();
        edit_users(xend, &dir.path().join(USERS), &add, password).await?;
        let users = dir.path().join(USERS);
        let keys = format!("(xend-http-auth users) (xend-users-file {})", users.display());
        Self::start_in(dir, xend, &keys).await
    }

    async fn start_in(dir: tempfile::TempDir, xend: &Path, configuration: &str) -> Result<Self> {
        let config = dir.path().join("xend-config.sxp");
        std::fs::write(&config, configuration)?;
        for disk in ["root.img", "second.img"] {
            std::fs::File::create(dir.path().join(disk))?.set_len(1 << 20)?;
        }
        let address = free_address().to_string();
        let mut command = Command::new(xend);
        command.args(["--http", &address, "--config"]).arg(&config);
        command
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .arg("--unix")
            .arg(dir.path().join("xend.sock"))
            .arg("--xen-api")
            .arg(dir.path().join("xen-api.sock"));
        let log = std::fs::File::create(dir.path().join("log"))?;
        let child = command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn()?;
        let daemon = Self { _child: child, xend: xend.to_owned(), dir, address };
        for _ in 0..200 {
            if TcpStream::connect(&daemon.address).await.is_ok() {
                return Ok(daemon);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("xend did not start: {}", std::fs::read_to_string(daemon.dir.path().join("log"))?)
    }

    /// The URL of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A file beside the daemon's state.
    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Gives an account another password.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<()> {
        let users = self.dir.path().join(USERS);
        edit_users(&self.xend, &users, &["password", user], password).await
    }

    /// What `xend fleet` prints about this host.
    pub async fn fleet(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.xend);
        command.arg("fleet").args(args).args(["--config", &self.file("xend-config.sxp")]);
        let output = command.args(["--state-dir", &self.file("state")]).output().await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "xend fleet {args:?}: {errors}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// GET as a script of the operator: an S-expression.
    pub async fn get(&self, path: &str) -> Result<String> {
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let answer = ask(self.unix().await?, &request).await?;
        Ok(String::from_utf8(answer.sent)?)
    }

    /// POST as a script of the operator: `op` and its parameters.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n",
            form.len()
        );
        let request =
            format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}");
        ask(self.unix().await?, &request).await
    }

    /// POST as a script of the operator, which must succeed.
    pub async fn done(&self, path: &str, fields: &[(&str, &str)]) -> Result<()> {
        let answer = self.post(path, fields).await?;
        if answer.code >= 400 {
            bail!("{path} {fields:?}: {} {}", answer.code, String::from_utf8_lossy(&answer.sent));
        }
        Ok(())
    }

    /// GET as a browser: the number of bytes on the wire, and the text.
    pub async fn page(&self, path: &str) -> Result<(usize, String)> {
        let head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
                    Upgrade-Insecure-Requests: 1\r\nAccept-Encoding: gzip\r\n";
        let request = format!("GET {path} HTTP/1.0\r\n{head}\r\n");
        let answer = ask(TcpStream::connect(&self.address).await?, &request).await?;
        let mut text = String::new();
        if flate2::read::GzDecoder::new(&answer.sent[..]).read_to_string(&mut text).is_err() {
            text = String::from_utf8(answer.sent.clone())?;
        }
        Ok((answer.sent.len(), text))
    }

    /// A connection over the unix socket, which is the operator's.
    async fn unix(&self) -> Result<UnixStream> {
        Ok(UnixStream::connect(self.dir.path().join("xend.sock")).await?)
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<Answer> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(30), reading).await.context("No answer")??;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("No head")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("No status")?;
    Ok(Answer { code, sent: answer.split_off(end + 4) })
}

/// Runs `xend user` with a password on its standard input.
async fn edit_users(xend: &Path, users: &Path, args: &[&str], password: &str) -> Result<()> {
    let mut command = Command::new(xend);
    command.arg("user").args(args).arg("--file").arg(users).stdin(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("No standard input")?;
    input.write_all(format!("{password}\n").as_bytes()).await?;
    drop(input);
    ensure!(child.wait().await?.success(), "xend user {args:?} failed");
    Ok(())
}
