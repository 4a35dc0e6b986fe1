//! The pages of a fleet: its hosts, a host, and the domains of all, with and without scripts.

use crate::accessibility::Axe;
use crate::browser::{Browser, Driver};
use crate::configuration;
use crate::daemon::Daemon;
use crate::pictures::in_all_windows;
use crate::ports::free_address;
use crate::thumbs;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// The pages, and the names of their pictures.
const PAGES: [(&str, &str); 5] = [
    ("fleet-hosts", "/xend/host"),
    ("fleet-own-host", "/xend/host/xen1"),
    ("fleet-host", "/xend/host/xen2"),
    ("fleet-silent-host", "/xend/host/xen3"),
    ("fleet-domains", "/xend/domain?host=all&state=all"),
];

/// A server of etcd, with its data in a directory of its own.
struct Etcd {
    _child: Child,
    _dir: tempfile::TempDir,
    url: String,
}

impl Etcd {
    /// Starts a server; `None` where there is no etcd.
    async fn start() -> Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let [url, peer] = [(); 2].map(|()| format!("http://{}", free_address()));
        let mut command = Command::new("etcd");
        command.args(["--name", "a", "--logger", "zap", "--log-level", "error"]);
        command.arg("--data-dir").arg(dir.path().join("data"));
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("a={peer}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.kill_on_drop(true).spawn() {
            Ok(child) => Ok(Some(Self { _child: child, _dir: dir, url })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("etcd"),
        }
    }

    /// A host of the fleet, which has not joined yet.
    async fn host(&self, xend: &Path, name: &str) -> Result<Daemon> {
        let url = &self.url;
        let configuration = format!(
            "(xend-fleet lab) (xend-fleet-host {name}) (xend-fleet-etcd {url})
             (xend-fleet-old-etcd yes) (xend-fleet-storages nfs san)"
        );
        Daemon::start(xend, &configuration).await
    }
}

/// All pages, on two hosts that are alive and a third one that never was.
pub async fn test(driver: &Driver, axe: &Axe, xend: &Path, shots: &Path) -> Result<()> {
    println!("A fleet");
    let Some(etcd) = Etcd::start().await? else {
        println!("SKIPPED: the pages of a fleet need etcd (Debian: etcd-server)");
        return Ok(());
    };
    let xen1 = etcd.host(xend, "xen1").await?;
    until("etcd answers", async || xen1.fleet(&["init"]).await.is_ok()).await?;
    let xen2 = etcd.host(xend, "xen2").await?;
    join(&xen1, &xen2).await?;
    join(&xen1, &etcd.host(xend, "xen3").await?).await?;
    for (daemon, names) in [(&xen1, ["web1", "db1"]), (&xen2, ["web2", "db2"])] {
        for name in names {
            let config = configuration(daemon, name, 64, "");
            daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
        }
        daemon.done(&format!("/xend/domain/{}", names[0]), &[("op", "start")]).await?;
    }
    until("both are alive, the third one is silent, and web2 is seen", async || {
        let hosts = xen1.get("/xend/host?detail=1").await.unwrap_or_default();
        let domains = xen1.get("/xend/host/xen2").await.unwrap_or_default();
        hosts.matches("(state alive)").count() == 2
            && hosts.contains("(state silent)")
            && domains.contains("web2")
    })
    .await?;

    let browser = driver.browser(shots, true).await?;
    for (name, path) in PAGES {
        browser.open(&xen1.url(path)).await?;
        in_all_windows(&browser, name).await.with_context(|| path.to_owned())?;
        thumbs::check(&browser, name).await?;
    }
    axe.check(&browser, &PAGES.map(|(_, path)| xen1.url(path))).await?;
    use_pages(&browser, &xen1).await?;
    browser.no_errors().await?;
    browser.close().await?;
    let browser = driver.browser(shots, false).await?;
    use_pages(&browser, &xen1).await?;
    browser.close().await
}

/// Lets a host join by a token of a member.
async fn join(member: &Daemon, host: &Daemon) -> Result<()> {
    let token = member.fleet(&["token"]).await?;
    host.fleet(&["join", token.trim()]).await.map(drop)
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) -> Result<()> {
    for _ in 0..300 {
        if is_so().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("not within 30 s: {what}")
}

/// From the hosts to a domain, by links and the filter.
async fn use_pages(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain")).await?;
    let hosts = "document.querySelector(\".menu a[href='/xend/host']\")";
    ensure!(browser.run(&format!("return {hosts} !== null")).await? == true, "no link to hosts");
    browser.open(&daemon.url("/xend/host")).await?;
    browser.says("h1", "Hosts").await?;
    browser.says("#hosts", "xen1 (this host)").await?;
    let row = "[...document.querySelectorAll('#hosts tbody tr')]\
               .find((row) => row.innerText.includes('xen3'))";
    browser.until(&format!("{row}.querySelector('.badge.silent').innerText === 'silent'")).await?;
    browser.click("#hosts a[href='/xend/host/xen3']").await?;
    browser.says("main", "The host has been silent").await?;
    browser.says("main", "Its domains may run.").await?;
    browser.click("main a[href='/xend/host']").await?;
    browser.click("#hosts a[href='/xend/host/xen2']").await?;
    browser.says("h1", "xen2").await?;
    browser.says("#domains", "web2").await?;
    ensure!(!browser.has("#domains a").await?, "a domain of another host has no page here");
    browser.fill("input[name=q]", "db").await?;
    browser.click(".filter button").await?;
    browser.until("location.search.includes('q=db')").await?;
    browser.says("#domains", "db2").await?;
    browser.until("!document.querySelector('#domains').innerText.includes('web2')").await?;
    browser.click("main a[href='/xend/domain?host=all']").await?;
    browser.says("#domains", "web2").await?;
    browser.click("#domains a[href='/xend/domain/web1']").await?;
    browser.says("h1", "Domain web1").await?;
    browser.open(&daemon.url("/xend/domain?host=all")).await?;
    browser.click("#domains a[href='/xend/host/xen2']").await?;
    browser.says("h1", "xen2").await
}
