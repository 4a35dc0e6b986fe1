//! nginx, as a second reference for what is sent from memory. It is the one in the search path or
//! the one that `XEND_NGINX` names.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running nginx, which ends with this value.
pub(crate) struct Nginx {
    child: Child,
    dir: tempfile::TempDir,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts nginx on a new port; `None` if there is none.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var_os("XEND_NGINX").unwrap_or_else(|| "nginx".into());
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        std::fs::write(dir.path().join("nginx.conf"), config(dir.path(), address)).unwrap();
        let child = Command::new(program)
            .arg("-e")
            .arg(dir.path().join("error.log"))
            .arg("-c")
            .arg(dir.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut nginx = Self { child: child.ok()?, dir, address };
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                return Some(nginx);
            }
            if nginx.child.try_wait().ok()?.is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Serves these bytes as `/NAME`.
    pub(crate) fn serve(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir.path().join("files").join(name), bytes).unwrap();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with their connections if the master is told to, and not if it is killed.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.child.wait();
    }
}

fn config(dir: &Path, address: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "daemon off; pid {dir}/pid; worker_processes auto; events {{ worker_connections 64; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; open_file_cache max=16;\n\
         keepalive_requests 1000000000; default_type application/sxp;\n\
         client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;\n\
         uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;\n\
         server {{ listen {address}; root {dir}/files; }} }}\n"
    )
}
