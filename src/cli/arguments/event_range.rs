//! Finds the runs and commits that the command line names.

use crate::cli::error::CommandError;
use crate::domain::{CommitSha, Head};
use crate::journal::PastRun;
use crate::requests;

pub(in crate::cli) use crate::queries::{past_run as run, past_runs as all};

/// The recorded commit of a link that begins with `text`, in full. `None` if there is none; if there are several, the
/// error names them.
pub(in crate::cli) fn commit(
    text: &str,
    head: &Head,
    want: Option<&CommitSha>,
    runs: &[PastRun],
) -> Result<Option<CommitSha>, CommandError> {
    Ok(requests::find_commit(text, head, runs.iter().map(|run| &run.sha).chain(want))?)
}
