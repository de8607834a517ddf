//! `katkit audit` without a subcommand

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::app::Host;
use crate::audit::KINDS;
use crate::auditing::{self, AuditQuery};
use crate::cli::ExitStatus;
use crate::cli::arguments::moment::{self, Moment};
use crate::cli::arguments::{Format, Global};
use crate::cli::commands::history::matching;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::{AuditJson, AuditText};

#[derive(Debug, Args)]
pub(super) struct Search {
    /// Only of this actor: a name or a verified identity
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only about `tenant/link`, `tenant`, or a pattern such as `*/shop`; repeatable
    #[arg(long = "link", visible_alias = "tenant", value_name = "LINK")]
    links: Vec<String>,
    /// Only these kinds of events and consents, such as `freeze` or `requested`
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(KINDS), hide_possible_values = true)]
    kinds: Vec<String>,
    /// Not before this time: `2h` or `3d` ago, `2026-01-02`, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Moment>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Moment>,
    /// Maximum number of entries
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Output format: text, or json (schema: `katkit schema audit`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(super) async fn run(
    arguments: &Search,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let (links, status) = matching(estate, &arguments.links, output).await?;
    let now = estate.clock.now();
    let query = AuditQuery {
        links: &links,
        all_links: arguments.links.is_empty(),
        who: arguments.who.as_deref(),
        kinds: &arguments.kinds,
        since: arguments.since.map(|since| since.resolve(now)),
        until: arguments.until.map(|until| until.resolve(now)),
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
    };
    let found = auditing::search(&*estate.state, &query).await?;
    match arguments.format {
        Format::Text => output.show(AuditText {
            entries: &found.entries,
            has_more: found.has_more,
            style: output.style(),
        })?,
        Format::Json => output.json(&AuditJson::of(&found.entries, found.has_more))?,
    }
    Ok(status)
}
