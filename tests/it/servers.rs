//! Real servers on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server process, stopped when the test ends.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// What it wrote to standard error.
    pub said: Arc<Mutex<String>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Finds the program, or fails with what to install: a test that cannot run has failed.
pub fn program(name: &str, package: &str) -> PathBuf {
    let folders = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/bin",
        "/usr/local/bin",
        "/usr/lib/git-core",
        "/usr/libexec/git-core",
    ];
    folders
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("`{name}` is needed for this test: apt-get install {package}"))
}

/// Starts a server on a free port, which `make` puts into its command, and waits until it answers.
///
/// Finds the port by binding and releasing it; if another process takes it meanwhile, tries the next one.
pub fn serve(mut make: impl FnMut(u16) -> Command) -> (Server, u16) {
    for _ in 0..10 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = make(port).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (pipe, kept) = (child.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                kept.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut server = Server { child, said };
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            if let Some(status) = server.child.try_wait().unwrap() {
                assert!(
                    server.said.lock().unwrap().contains("in use"),
                    "the server ended with {status}: {}",
                    server.said.lock().unwrap()
                );
                break;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (server, port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    panic!("the server did not start");
}
