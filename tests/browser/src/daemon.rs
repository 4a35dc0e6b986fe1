//! xend on the simulator, and a client for scripts.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// A running daemon with its own state directory.
pub struct Daemon {
    _child: Child,
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
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("xend-config.sxp");
        std::fs::write(&config, configuration)?;
        for disk in ["root.img", "second.img"] {
            std::fs::File::create(dir.path().join(disk))?.set_len(1 << 20)?;
        }
        // Another process could take the port before the daemon does, but that is unlikely.
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
        let mut command = Command::new(xend);
        command.args(["--http", &address, "--config"]).arg(&config);
        command
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .arg("--unix")
            .arg(dir.path().join("xend.sock"));
        let log = std::fs::File::create(dir.path().join("log"))?;
        let child = command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn()?;
        let daemon = Self { _child: child, dir, address };
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

    /// GET as a script: an S-expression.
    pub async fn get(&self, path: &str) -> Result<String> {
        let answer = self.ask(&format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")).await?;
        Ok(String::from_utf8(answer.sent)?)
    }

    /// POST as a script: `op` and its parameters.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let form =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let head = format!(
            "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n",
            form.len()
        );
        self.ask(&format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"))
            .await
    }

    /// POST as a script, which must succeed.
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
                    Accept-Encoding: gzip\r\n";
        let answer = self.ask(&format!("GET {path} HTTP/1.0\r\n{head}\r\n")).await?;
        let mut text = String::new();
        if flate2::read::GzDecoder::new(&answer.sent[..]).read_to_string(&mut text).is_err() {
            text = String::from_utf8(answer.sent.clone())?;
        }
        Ok((answer.sent.len(), text))
    }

    async fn ask(&self, request: &str) -> Result<Answer> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(30), reading).await.context("No answer")??;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("No head")?;
        let head = String::from_utf8_lossy(&answer[..end]);
        let code =
            head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("No status")?;
        Ok(Answer { code, sent: answer.split_off(end + 4) })
    }
}
