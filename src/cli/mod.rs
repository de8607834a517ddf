//! The command line: one file per command, each of which parses, gathers, calls, shows and says how it ended.
//!
//! What a command prints for its purpose goes to the standard output; how it is going, and what went wrong, to the
//! standard error. `docs/exit-codes.md` has the exit codes.

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
mod doctor;
mod error;
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
mod log_show;
mod log_sink;
mod logs;
mod moment;
mod others;
mod output;
mod past;
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
mod usual;
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

/// What a newcomer does first.
const START: &str = "\
The first time:
  katkit init    Write a katkit.toml; read it through
  katkit plan    See what is missing; nothing is changed
  katkit apply   Do it
  katkit status  See where everything stands

`katkit COMMAND --help` shows examples. What reads has `--format json`.";

/// Brings every environment to the commit that its manifest asks for
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

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitStatus {
    /// All that was asked for is done.
    Success,
    /// Something failed, and was said.
    Failure,
    /// There are changes, and it was asked to tell.
    Changes,
    /// Nothing failed, and not all is live yet: another process works on it, or a saved plan is out of date for a part.
    Unfinished,
    /// The arguments make no sense.
    Usage,
    /// `wait` did not see what it waits for.
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
            // `EX_USAGE` of sysexits(3): clap's own 2 would say that there are changes.
            ExitStatus::Usage => Self::from(64),
            // As timeout(1) has it.
            ExitStatus::TimedOut => Self::from(124),
            ExitStatus::Interrupted => Self::from(130),
        }
    }
}

/// Everything from the process's arguments to its exit code.
pub fn main() -> ExitCode {
    // Phases may run as the same user, and are not to read the secrets of others from here.
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
            // Help and the version are such errors too. Without a reader there is nobody to tell.
            let _ = error.print();
            let asked = !error.use_stderr();
            return if asked { ExitStatus::Success } else { ExitStatus::Usage }.into();
        }
    };
    if let Command::Agent(_) = command {
        return agent::run();
    }
    let mut output = Output::new(&global, &config);
    crate::telemetry::start(config.log.as_deref(), global.verbose, output.error_style().colour);
    let ended = dispatch(command, &global, &config, &mut output);
    let ended = ended.and_then(|status| output.finish().map(|()| status).map_err(CommandError::from));
    match ended {
        Ok(status) => status.into(),
        // Whoever read the output has seen enough.
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
        // Was run before anything else was set up.
        Command::Agent(_) => Ok(ExitStatus::Success),
        Command::Plan(arguments) => block_on(plan::run(&arguments, global, config, output)),
        Command::Apply(arguments) => block_on(apply::run(arguments, global, config, output)),
    }
}

/// Prints what `--version` prints, for people who expect a command.
fn version(output: &mut Output) -> Result<ExitStatus, CommandError> {
    output.show(Arguments::command().render_version())?;
    Ok(ExitStatus::Success)
}

/// Runs a command's future to its end. Built only by the commands that need it, since starting threads takes time.
fn block_on<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let ended = runtime.block_on(command);
    // Work that blocks, such as a question to a remote, must not keep an interrupted command alive.
    runtime.shutdown_background();
    ended
}
