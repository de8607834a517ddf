//! Runs a phase's code, and stops everything it started on timeout, on cancellation, and when it is done.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::domain::{Outcome, signal_meaning};
use crate::fleet::process::table;
use crate::hardening;

use super::log::Log;
use super::memory::Memory;
use super::stop::Stop;

/// How long to keep killing descendants before giving up.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How much later than the code the agent may receive the same SIGTERM.
const SIGNAL_DELAY: Duration = Duration::from_secs(1);

/// A hundred years: the spec may hold any number of seconds, and adding too many to an [`Instant`] panics.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// The default maximum capacity of a pipe, in bytes (`fs.pipe-max-size`, pipe(7)).
const PIPE: usize = 1024 * 1024;

/// Why the code is being stopped.
#[derive(Clone, Copy, Debug)]
enum Ending {
    TimedOut,
    Cancelled,
}

/// How long the code may take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Until SIGTERM.
    pub timeout: Duration,
    /// From SIGTERM until SIGKILL.
    pub grace: Duration,
}

/// The result of running the code.
#[derive(Debug)]
pub struct CodeResult {
    /// The outcome of the code, before artifacts and log are stored.
    pub outcome: Outcome,
    /// Whether every process that it started is gone.
    pub clean: bool,
}

/// Runs `command` to completion, with its output in `log`.
///
/// Standard output and error share one pipe, to preserve their order. When this returns, the output is complete and
/// everything the code started has been killed.
pub async fn run(
    mut command: Command,
    times: TimeLimits,
    log: &mut Log,
    stop: &mut Stop,
) -> io::Result<CodeResult> {
    let memory = Memory::watch();
    // Before the child starts, so that its end is not missed.
    let mut child_ended = signal(SignalKind::child())?;
    let (reader, writer) = io::pipe()?;
    let mut output = Output::new(reader.into())?;
    command.stdin(std::process::Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let child = hardening::as_started(|| command.spawn())?;
    // It holds the write end of the pipe.
    drop(command);
    let main = Pid::from_child(&child);

    let mut deadline = deadline_in(times.timeout);
    let mut ending = None;
    let how = loop {
        tokio::select! {
            length = output.pipe.read(&mut output.buffer), if output.open && !log.is_full() => match length {
                Ok(length @ 1..) => log.write(&output.buffer[..length]),
                Ok(0) | Err(_) => output.open = false,
            },
            _ = child_ended.recv() => if let Some(how) = reap(main) { break how },
            () = stop.asked(), if ending.is_none() => {
                ending = Some(Ending::Cancelled);
                deadline = terminate(main, times);
            }
            () = sleep_until(deadline) => {
                if ending.is_none() {
                    ending = Some(Ending::TimedOut);
                    deadline = terminate(main, times);
                } else {
                    send(main, Signal::KILL);
                    deadline = Instant::now() + KILL_LIMIT;
                }
            }
            () = log.progress(), if log.waits() => {}
        }
    };
    // A machine that shuts down signals everything at once: the code may end before the agent receives its signal.
    if ending.is_none() && ended_by(how, Signal::TERM) && timeout(SIGNAL_DELAY, stop.asked()).await.is_ok() {
        ending = Some(Ending::Cancelled);
    }
    let clean = end_rest().await;
    output.drain(log);
    let outcome = match ending {
        Some(Ending::TimedOut) => Outcome::TimedOut { after: times.timeout },
        Some(Ending::Cancelled) => Outcome::Cancelled,
        None => memory.explain(outcome(how), ended_by(how, Signal::KILL)),
    };
    Ok(CodeResult { outcome, clean })
}

/// Sends SIGTERM to the code. Returns the time for SIGKILL.
fn terminate(main: Pid, times: TimeLimits) -> Instant {
    send(main, Signal::TERM);
    deadline_in(times.grace)
}

/// The instant this long from now.
pub fn deadline_in(time: Duration) -> Instant {
    Instant::now() + time.min(LONGEST)
}

/// Signals the code's process group, and its main process if that moved to another group. Never signals a process
/// twice: many programs exit immediately on a second signal. The process is not reaped yet, so its pid is not reused.
fn send(main: Pid, signal: Signal) {
    let _ = rustix::process::kill_process_group(main, signal);
    if rustix::process::getpgid(Some(main)) != Ok(main) {
        let _ = rustix::process::kill_process(main, signal);
    }
}

/// Reaps every child that ended, adopted ones too. Returns the exit status of the code's main process, if it ended.
fn reap(main: Pid) -> Option<WaitStatus> {
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if let Ok(Some(_)) = rustix::process::waitid(WaitId::Pid(main), peek) {
        // Its pid is not reused until it is reaped below, so the group is still the code's. Killing the whole group at
        // once stops processes that fork faster than they can be listed.
        let _ = rustix::process::kill_process_group(main, Signal::KILL);
    }
    let mut ended = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == main {
            ended = Some(status);
        }
    }
    ended
}

/// Kills everything that the code left running, detached or not. Returns whether all of it is gone.
pub async fn end_rest() -> bool {
    let deadline = Instant::now() + KILL_LIMIT;
    let own = rustix::process::getpid();
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => continue,
            // No children left, and no other descendants: orphans become children of this process.
            Err(_) => return true,
            Ok(None) if Instant::now() > deadline => return false,
            Ok(None) => {}
        }
        // If the process table cannot be read now, the next round reads it.
        if let Ok(below) = table::descendants(own) {
            table::signal_descendants(&below, Signal::KILL, own);
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// The output of the code.
struct Output {
    pipe: pipe::Receiver,
    /// The same pipe, for reads that bypass the runtime.
    direct: OwnedFd,
    buffer: Vec<u8>,
    open: bool,
}

impl Output {
    fn new(reader: OwnedFd) -> io::Result<Self> {
        let direct = reader.try_clone()?;
        let pipe = pipe::Receiver::from_owned_fd(reader)?;
        Ok(Self { pipe, direct, buffer: vec![0; 64 * 1024], open: true })
    }

    /// Reads the rest of the pipe, without waiting for more: a process that could not be killed may hold it open, or
    /// write to it, forever.
    fn drain(&mut self, log: &mut Log) {
        let mut left = PIPE;
        while left > 0
            && let Ok(length @ 1..) = rustix::io::read(&self.direct, &mut self.buffer)
        {
            log.write(&self.buffer[..length]);
            left = left.saturating_sub(length);
        }
    }
}

/// Whether `signal` ended the code, or a command of its shell.
fn ended_by(status: WaitStatus, signal: Signal) -> bool {
    status.terminating_signal() == Some(signal.as_raw())
        || status.exit_status() == Some(128 + signal.as_raw())
}

fn outcome(status: WaitStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Outcome::Succeeded,
        (Some(code), _) => Outcome::Failed { exit_code: Some(code), reason: String::new() },
        (None, Some(number)) => {
            let how = signal_meaning(number).unwrap_or_else(|| format!("signal {number}"));
            Outcome::Failed { exit_code: None, reason: format!("killed by {how}") }
        }
        // Waiting for exited children reports nothing else.
        (None, None) => {
            Outcome::Failed { exit_code: None, reason: "ended with an unknown status".to_owned() }
        }
    }
}
