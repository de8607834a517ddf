//! Runs a phase's code, and ends it when its time is over, when it is cancelled, and when it is done.

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

/// How long descendants are killed over and over before they are given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much later than the code the agent may hear that both are to end.
const HEARS: Duration = Duration::from_secs(1);

/// The most that a pipe holds by default (`fs.pipe-max-size`, pipe(7)).
const PIPE: usize = 1024 * 1024;

/// The start of a reason that names the signal.
pub const KILLED_BY: &str = "killed by ";

/// Why the code is being ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    TimedOut,
    Cancelled,
}

/// How long the code may take, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Until it is asked to end.
    pub timeout: u64,
    /// From then until it is ended by force.
    pub grace: u64,
}

/// What came of running the code.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether nothing that it started is left.
    pub clean: bool,
}

/// Runs `command` to its end, with its output in `log`.
///
/// The command's standard output and error are set here: one pipe for both, so that their order is kept. When it
/// returns, the output is complete and everything that the code started has been ended.
pub async fn run(mut command: Command, times: Times, log: &mut Log, stop: &mut Stop) -> io::Result<Ran> {
    let memory = Memory::watch();
    // Before the child: its end is not missed.
    let mut child_ended = signal(SignalKind::child())?;
    let (reader, writer) = io::pipe()?;
    let mut output = Output::new(reader.into())?;
    command.stdin(std::process::Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let child = hardening::as_started(|| command.spawn())?;
    // It holds the writing end of the pipe.
    drop(command);
    let main = Pid::from_child(&child);

    let mut deadline = Instant::now() + Duration::from_secs(times.timeout.min(u64::from(u32::MAX)));
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
                deadline = ask(main, times);
            }
            () = sleep_until(deadline) => {
                if ending.is_none() {
                    ending = Some(Ending::TimedOut);
                    deadline = ask(main, times);
                } else {
                    send(main, Signal::KILL);
                    deadline = Instant::now() + PATIENCE;
                }
            }
            () = log.progress(), if log.waits() => {}
        }
    };
    // Whoever ends everything at once, as a machine does that shuts down, may end the code before the agent hears of it.
    let terminated = how.terminating_signal() == Some(Signal::TERM.as_raw())
        || how.exit_status() == Some(128 + Signal::TERM.as_raw());
    if ending.is_none() && terminated && timeout(HEARS, stop.asked()).await.is_ok() {
        ending = Some(Ending::Cancelled);
    }
    let clean = end_rest().await;
    output.drain(log);
    let outcome = match ending {
        Some(Ending::TimedOut) => Outcome::TimedOut { after: times.timeout },
        Some(Ending::Cancelled) => Outcome::Cancelled,
        None => memory.explain(outcome(how)),
    };
    Ok(Ran { outcome, clean })
}

/// Asks the code to end; returns when it is to be ended by force.
fn ask(main: Pid, times: Times) -> Instant {
    send(main, Signal::TERM);
    Instant::now() + Duration::from_secs(times.grace.min(u64::from(u32::MAX)))
}

/// Signals the code's process group, and its own process where that has moved to another group: not twice, because many
/// programs take a second signal for impatience. The process is not reaped yet, so no other has its pid.
fn send(main: Pid, signal: Signal) {
    let _ = rustix::process::kill_process_group(main, signal);
    if rustix::process::getpgid(Some(main)) != Ok(main) {
        let _ = rustix::process::kill_process(main, signal);
    }
}

/// Reaps every child that ended, adopted ones too. Returns how the code's own process ended, if it did.
fn reap(main: Pid) -> Option<WaitStatus> {
    let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if let Ok(Some(_)) = rustix::process::waitid(WaitId::Pid(main), peek) {
        // Its pid stays taken until it is reaped below: the group is still its group. All at once, so that what
        // forks faster than it can be found does not get away.
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

/// Ends whatever the code left in the background, however it detached itself. Whether nothing is left.
pub async fn end_rest() -> bool {
    let deadline = Instant::now() + PATIENCE;
    let own = rustix::process::getpid();
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => continue,
            // No child, and as orphans become children of this process, no descendant either.
            Err(_) => return true,
            Ok(None) if Instant::now() > deadline => return false,
            Ok(None) => {}
        }
        // If the table cannot be read now, the next round reads it.
        if let Ok(below) = table::descendants(own) {
            table::signal_descendants(&below, Signal::KILL, own);
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// What the code prints.
struct Output {
    pipe: pipe::Receiver,
    /// The same pipe, read without asking the runtime whether it is ready.
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

    /// Reads what is left in the pipe. Someone out of reach may hold it open, or write to it, for ever: that is not
    /// waited for.
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

fn outcome(status: WaitStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Outcome::Succeeded,
        (Some(code), _) => Outcome::Failed { exit_code: Some(code), reason: String::new() },
        (None, Some(number)) => {
            let how = signal_meaning(number).unwrap_or_else(|| format!("signal {number}"));
            Outcome::Failed { exit_code: None, reason: format!("{KILLED_BY}{how}") }
        }
        // Waiting for exited children reports nothing else.
        (None, None) => Outcome::Failed { exit_code: None, reason: "ended in an unknown way".to_owned() },
    }
}
