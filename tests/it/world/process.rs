//! A running command that a test may signal.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Output, PATIENCE};

/// A running command.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    /// Standard error so far.
    said: Arc<Mutex<Vec<u8>>>,
    filters: Vec<(String, String)>,
}

fn reader(mut stream: impl Read + Send + 'static, so_far: Arc<Mutex<Vec<u8>>>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        loop {
            let read = stream.read(&mut buffer).unwrap();
            let mut so_far = so_far.lock().unwrap();
            if read == 0 {
                return std::mem::take(&mut *so_far);
            }
            so_far.extend_from_slice(&buffer[..read]);
        }
    })
}

impl Running {
    pub(super) fn start(command: &mut Command, filters: Vec<(String, String)>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let stderr = Some(reader(stderr, Arc::clone(&said)));
        Self { child, stdout: Some(reader(stdout, Arc::default())), stderr, said, filters }
    }

    /// Standard error so far; empty once closed.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it as soon as `now` is true. Returns whether it was still running.
    pub fn killed_when(mut self, mut now: impl FnMut() -> bool) -> bool {
        loop {
            if self.has_ended() {
                return false;
            }
            if now() {
                self.kill();
                return true;
            }
            std::thread::yield_now();
        }
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, and for everything that holds its output: a finished command must leave nothing that does.
    pub fn wait(self) -> Output {
        self.wait_within(PATIENCE)
    }

    /// The same for a command with much to do.
    pub fn wait_within(mut self, patience: Duration) -> Output {
        let status = self.ended(patience);
        let begin = Instant::now();
        let (stdout, stderr) = (self.stdout.take().unwrap(), self.stderr.take().unwrap());
        while !(stdout.is_finished() && stderr.is_finished()) {
            assert!(begin.elapsed() < PATIENCE, "something still holds the output of a command that ended");
            std::thread::sleep(Duration::from_millis(1));
        }
        Output::new(&stdout.join().unwrap(), &stderr.join().unwrap(), status.code(), &self.filters)
    }

    fn ended(&mut self, patience: Duration) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if begin.elapsed() > patience {
                let _ = self.child.kill();
                let _ = self.child.wait();
                let said = |stream: &mut Option<JoinHandle<Vec<u8>>>| {
                    String::from_utf8_lossy(&stream.take().unwrap().join().unwrap()).into_owned()
                };
                panic!("it did not end:\n{}\n{}", said(&mut self.stdout), said(&mut self.stderr));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
