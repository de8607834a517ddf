//! The command line: one file per command. It parses, gathers, calls, shows, and returns an exit status.
//!
//! Results go to the standard output; progress and errors to the standard error. `docs/exit-codes.md` lists the exit
//! codes.

mod against;
mod agent;
mod apply;
mod arguments;
mod artifacts;
mod attempt;
#[cfg(feature = "aws")]
mod bootstrap;
mod cancel;
mod candidates;
mod completions;
mod confirm;
mod display;
mod doctor;
mod error;
mod event_range;
mod follow;
mod follow_links;
mod follow_run;
mod history;
mod holder;
mod import;
mod init;
mod link;
mod live;
mod live_screen;
mod log_selection;
mod log_show;
mod log_sink;
mod logs;
mod moment;
mod others;
mod output;
mod plan;
mod progress;
mod prune;
mod request;
mod retry;
mod rollback;
mod running;
mod saved;
mod schema;
mod screen;
mod set;
mod skip;
mod spelling;
mod status;
#[cfg(test)]
mod tests;
mod title;
mod unlock;
mod usual_durations;
mod validate;
mod verify;
mod wait;
mod why;
mod withdraw;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
    Init(init::Arguments),
    Validate(validate::Arguments),
    Verify(verify::Arguments),
    Doctor(doctor::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Status(status::Arguments),
    Wait(wait::Arguments),
    Why(why::Arguments),
    Logs(logs::Arguments),
    Artifacts(artifacts::Arguments),
    History(history::Arguments),
    Set(set::Arguments),
    Retry(retry::Arguments),
    Skip(skip::Arguments),
    Cancel(cancel::Arguments),
    Rollback(rollback::Arguments),
    Withdraw(withdraw::Arguments),
    Import(import::Arguments),
    Unlock(unlock::Arguments),
    Prune(prune::Arguments),
    #[cfg(feature = "aws")]
    Bootstrap(bootstrap::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    /// Print the version
    Version,
    #[command(hide = true)]
    Agent(agent::Arguments),
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
    if candidates::answer(config.directory.as_deref()) {
        return ExitCode::SUCCESS;
    }
    let parsed =
        spelling::check(&Arguments::command(), std::env::args_os()).and_then(|()| Arguments::try_parse());
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
        return agent::run();
    }
    let mut output = Output::new(global.color, &config);
    crate::telemetry::start(config.log.as_deref(), global.verbose, output.error_style().colour);
    let ended = dispatch(command, &global, &config, &mut output);
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
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    match command {
        Command::Init(arguments) => init::run(&arguments, output),
        Command::Version => version(output),
        Command::Completions(arguments) => completions::run(&arguments, output),
        Command::Status(arguments) => block_on(status::run(&arguments, global, config, output)),
        Command::Wait(arguments) => block_on(wait::run(&arguments, global, config, output)),
        Command::Why(arguments) => block_on(why::run(&arguments, global, config, output)),
        Command::Logs(arguments) => block_on(logs::run(&arguments, global, config, output)),
        Command::Artifacts(arguments) => block_on(artifacts::run(&arguments, global, config, output)),
        Command::History(arguments) => block_on(history::run(&arguments, global, config, output)),
        Command::Set(arguments) => block_on(set::run(&arguments, global, config, output)),
        Command::Retry(arguments) => block_on(request::run(&arguments, global, config, output)),
        Command::Skip(arguments) => block_on(request::run(&arguments, global, config, output)),
        Command::Cancel(arguments) => block_on(request::run(&arguments, global, config, output)),
        Command::Rollback(arguments) => block_on(rollback::run(&arguments, global, config, output)),
        Command::Withdraw(arguments) => block_on(request::run(&arguments, global, config, output)),
        Command::Import(arguments) => block_on(import::run(&arguments, global, config, output)),
        Command::Unlock(arguments) => block_on(unlock::run(&arguments, global, config, output)),
        Command::Prune(arguments) => block_on(prune::run(&arguments, global, config, output)),
        #[cfg(feature = "aws")]
        Command::Bootstrap(arguments) => block_on(bootstrap::run(&arguments, global, output)),
        Command::Verify(arguments) => block_on(verify::run(&arguments, global, config, output)),
        Command::Doctor(arguments) => block_on(doctor::run(&arguments, global, config, output)),
        Command::Validate(arguments) => validate::run(&arguments, global, output),
        Command::Schema(arguments) => schema::run(&arguments, output),
        // `main` ran it before it set anything up.
        Command::Agent(_) => Ok(ExitStatus::Success),
        Command::Plan(arguments) => block_on(plan::run(&arguments, global, config, output)),
        Command::Apply(arguments) => block_on(apply::run(arguments, global, config, output)),
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
