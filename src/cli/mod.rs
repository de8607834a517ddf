//! The command line: one file per command. It parses, gathers, calls, shows, and returns an exit status.
//!
//! Results go to the standard output; progress and errors to the standard error. `docs/exit-codes.md` lists the exit
//! codes.

mod arguments;
mod commands;
mod error;
mod output;
#[cfg(test)]
mod tests;

use std::cell::LazyCell;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::app::Host;
use crate::config::Config;
use crate::hardening;
use arguments::Global;
use error::CommandError;
use output::Output;

/// First steps, shown below the list of commands.
const START: &str = "\
Getting started:
  katkit init    Write a katkit.toml; review it
  katkit plan    Show what would change, without changing anything
  katkit apply   Carry out the plan
  katkit status  Show the state of every link

`katkit COMMAND --help` shows examples. Commands that read take `--format json`.";

/// Brings every environment to the commit its manifest asks for
#[derive(Debug, Parser)]
#[command(
    name = "katkit",
    version,
    max_term_width = 100,
    propagate_version = false,
    after_help = START
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(commands::init::Arguments),
    Validate(commands::validate::Arguments),
    Verify(commands::verify::Arguments),
    Doctor(commands::doctor::Arguments),
    Plan(commands::plan::Arguments),
    Apply(commands::apply::Arguments),
    Status(commands::status::Arguments),
    Wait(commands::wait::Arguments),
    Why(commands::why::Arguments),
    Logs(commands::logs::Arguments),
    Artifacts(commands::artifacts::Arguments),
    History(commands::history::Arguments),
    Audit(commands::audit::Arguments),
    Attest(commands::attest::Arguments),
    Calendar(commands::calendar::Arguments),
    Simulate(commands::simulate::Arguments),
    Pipeline(commands::pipeline::Arguments),
    Set(commands::set::Arguments),
    Test(commands::test::Arguments),
    Promote(commands::promote::Arguments),
    Approve(commands::approve::Arguments),
    Reject(commands::reject::Arguments),
    Evidence(commands::evidence::Arguments),
    Release(commands::release::Arguments),
    Override(commands::override_gates::Arguments),
    Forgive(commands::forgive::Arguments),
    WhoCan(commands::who_can::Arguments),
    Freeze(commands::freeze::Arguments),
    Thaw(commands::thaw::Arguments),
    Retry(commands::retry::Arguments),
    Skip(commands::skip::Arguments),
    Waive(commands::waive::Arguments),
    Cancel(commands::cancel::Arguments),
    Rollback(commands::rollback::Arguments),
    Pin(commands::pin::Arguments),
    Withdraw(commands::withdraw::Arguments),
    Import(commands::import::Arguments),
    Unlock(commands::unlock::Arguments),
    Prune(commands::prune::Arguments),
    #[cfg(feature = "aws")]
    Bootstrap(commands::bootstrap::Arguments),
    Schema(commands::schema::Arguments),
    Completions(commands::completions::Arguments),
    /// Print the version
    Version,
    #[command(hide = true)]
    Agent(commands::agent::Arguments),
}

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitStatus {
    /// Everything requested is done.
    Success,
    /// Something failed and was reported.
    Failure,
    /// There are changes, and the user asked for an exit code that says so.
    Changes,
    /// Nothing failed, but not everything is live yet: another process is handling it, or part of a saved plan is out
    /// of date.
    Unfinished,
    /// Invalid arguments.
    Usage,
    /// `wait` ran out of time.
    TimedOut,
    /// Ctrl-C.
    Interrupted,
}

impl ExitStatus {
    /// The worse of two results of `apply`: an interruption, then a failure, then what is unfinished.
    fn or_worse(self, other: Self) -> Self {
        let order = [Self::Interrupted, Self::Failure, Self::Unfinished];
        order.into_iter().find(|status| [self, other].contains(status)).unwrap_or(self)
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => Self::SUCCESS,
            ExitStatus::Failure => Self::FAILURE,
            ExitStatus::Changes => Self::from(2),
            ExitStatus::Unfinished => Self::from(3),
            // `EX_USAGE` of sysexits(3): clap's own 2 would mean that there are changes.
            ExitStatus::Usage => Self::from(64),
            // As timeout(1) does.
            ExitStatus::TimedOut => Self::from(124),
            ExitStatus::Interrupted => Self::from(130),
        }
    }
}

/// Everything from the process's arguments to its exit code.
pub fn main() -> ExitCode {
    // Phases may run as the same user and must not read other phases' secrets from this process.
    hardening::protect();
    hardening::close_on_exec();
    let config = Config::from_environment();
    if arguments::candidates::answer(config.directory.as_deref()) {
        return ExitCode::SUCCESS;
    }
    let parsed = arguments::spelling::check(&Arguments::command(), std::env::args_os())
        .and_then(|()| Arguments::try_parse());
    let Arguments { global, command } = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version arrive as errors too. A failed write is ignored: nobody is reading.
            let _ = error.print();
            let asked = !error.use_stderr();
            return if asked { ExitStatus::Success } else { ExitStatus::Usage }.into();
        }
    };
    if let Command::Agent(_) = command {
        return commands::agent::run();
    }
    let mut output = Output::new(global.color, &config);
    crate::telemetry::start(config.log.as_deref(), global.verbose, output.error_style().colour);
    // Created when a command opens a manifest.
    let host = LazyCell::new(|| Host::new(&config));
    let ended = dispatch(command, &global, &host, &mut output);
    let ended = ended.and_then(|status| output.finish().map(|()| status).map_err(CommandError::from));
    match ended {
        Ok(status) => status.into(),
        // The reader closed the pipe: it has seen enough.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            error.exit_status().into()
        }
    }
}

fn dispatch(
    command: Command,
    global: &Global,
    host: &LazyCell<Host, impl FnOnce() -> Host>,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    match command {
        Command::Init(arguments) => commands::init::run(&arguments, output),
        Command::Version => version(output),
        Command::Completions(arguments) => commands::completions::run(&arguments, output),
        Command::Status(arguments) => block_on(commands::status::run(&arguments, global, host, output)),
        Command::Wait(arguments) => block_on(commands::wait::run(&arguments, global, host, output)),
        Command::Why(arguments) => block_on(commands::why::run(&arguments, global, host, output)),
        Command::Logs(arguments) => block_on(commands::logs::run(&arguments, global, host, output)),
        Command::Artifacts(arguments) => block_on(commands::artifacts::run(&arguments, global, host, output)),
        Command::History(arguments) => block_on(commands::history::run(&arguments, global, host, output)),
        Command::Audit(arguments) => block_on(commands::audit::run(&arguments, global, host, output)),
        Command::Attest(arguments) => block_on(commands::attest::run(&arguments, global, host, output)),
        Command::Calendar(arguments) => block_on(commands::calendar::run(&arguments, global, host, output)),
        Command::Simulate(arguments) => block_on(commands::simulate::run(&arguments, global, host, output)),
        Command::Pipeline(arguments) => block_on(commands::pipeline::run(&arguments, global, host, output)),
        Command::Test(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Promote(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Approve(arguments) => block_on(commands::approve::run(&arguments, global, host, output)),
        Command::WhoCan(arguments) => block_on(commands::who_can::run(&arguments, global, host, output)),
        Command::Freeze(arguments) => block_on(commands::freeze::run(&arguments, global, host, output)),
        Command::Evidence(arguments) => block_on(commands::evidence::run(&arguments, global, host, output)),
        Command::Reject(arguments) => block_on(commands::reject::run(&arguments, global, host, output)),
        Command::Override(arguments) => {
            block_on(commands::override_gates::run(&arguments, global, host, output))
        }
        Command::Forgive(arguments) => block_on(commands::forgive::run(&arguments, global, host, output)),
        Command::Release(arguments) => block_on(commands::release::run(&arguments, global, host, output)),
        Command::Thaw(arguments) => block_on(commands::thaw::run(&arguments, global, host, output)),
        Command::Set(arguments) => block_on(commands::set::run(&arguments, global, host, output)),
        Command::Retry(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Skip(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Waive(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Cancel(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Rollback(arguments) => block_on(commands::rollback::run(&arguments, global, host, output)),
        Command::Pin(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Withdraw(arguments) => block_on(commands::request::run(&arguments, global, host, output)),
        Command::Import(arguments) => block_on(commands::import::run(&arguments, global, host, output)),
        Command::Unlock(arguments) => block_on(commands::unlock::run(&arguments, global, host, output)),
        Command::Prune(arguments) => block_on(commands::prune::run(&arguments, global, host, output)),
        #[cfg(feature = "aws")]
        Command::Bootstrap(arguments) => block_on(commands::bootstrap::run(&arguments, global, output)),
        Command::Verify(arguments) => block_on(commands::verify::run(&arguments, global, host, output)),
        Command::Doctor(arguments) => block_on(commands::doctor::run(&arguments, global, host, output)),
        Command::Validate(arguments) => commands::validate::run(&arguments, global, output),
        Command::Schema(arguments) => commands::schema::run(&arguments, output),
        // `main` ran it before it set anything up.
        Command::Agent(_) => Ok(ExitStatus::Success),
        Command::Plan(arguments) => block_on(commands::plan::run(&arguments, global, host, output)),
        Command::Apply(arguments) => block_on(commands::apply::run(arguments, global, host, output)),
    }
}

/// Prints the same as `--version`.
fn version(output: &mut Output) -> Result<ExitStatus, CommandError> {
    output.show(Arguments::command().render_version())?;
    Ok(ExitStatus::Success)
}

/// Runs a command's future to completion. Only commands that need a runtime start one: starting threads takes time.
fn block_on<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let ended = runtime.block_on(command);
    // Blocking work, such as a call to a remote, must not keep an interrupted command alive.
    runtime.shutdown_background();
    ended
}
