//! `katkit pipeline`

use clap::{Args, ValueEnum};

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::PipelineName;
use crate::manifest::Manifest;
use crate::queries;
use crate::views::{PipelineJson, PipelineMarkdown, PipelineText};

/// Show where the commits of pipelines are
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit pipeline                          Every pipeline of the manifest
  katkit pipeline shop --format markdown   With a graph, for a pull request or a wiki")]
pub(in crate::cli) struct Arguments {
    /// The pipelines [default: all]
    #[arg(value_name = "PIPELINE")]
    names: Vec<String>,
    /// How many commits to list for each
    #[arg(long, value_name = "N", default_value_t = 10)]
    commits: usize,
    /// Output format: text, json (schema: `katkit schema pipeline`), or markdown with a Mermaid graph
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// Output format of `pipeline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For humans
    Text,
    /// For programs; `katkit schema pipeline` describes it
    Json,
    /// For pull requests and wikis
    Markdown,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    output.warnings(&estate.loaded.warnings);
    let names = named(estate.manifest(), &arguments.names)?;
    let pipelines = queries::pipelines(estate, &names, arguments.commits).await?;
    match arguments.format {
        Format::Text => output.show(PipelineText { pipelines: &pipelines, style: output.style() })?,
        Format::Json => output.json(&PipelineJson::of(&pipelines))?,
        Format::Markdown => output.show(PipelineMarkdown { pipelines: &pipelines })?,
    }
    Ok(match pipelines.iter().any(|pipeline| pipeline.problem.is_some()) {
        true => ExitStatus::Failure,
        false => ExitStatus::Success,
    })
}

fn named(manifest: &Manifest, names: &[String]) -> Result<Vec<PipelineName>, CommandError> {
    let all = || manifest.pipelines.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if manifest.pipelines.is_empty() {
        let hint = "define one under `[pipelines]`; docs/pipelines.md shows how".to_owned();
        return Err(CommandError::refused("the manifest has no pipelines", hint));
    }
    if names.is_empty() {
        return Ok(manifest.pipelines.keys().cloned().collect());
    }
    let find = |name: &String| match manifest.pipelines.get_key_value(name.as_str()) {
        Some((name, _)) => Ok(name.clone()),
        None => Err(CommandError::refused(
            format!("there is no pipeline `{name}`"),
            format!("there is {}", all()),
        )),
    };
    names.iter().map(find).collect()
}
