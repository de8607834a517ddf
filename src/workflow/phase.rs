//! One phase of a `katkitconfig.js`.

use std::ops::Range;

use crate::domain::{Deploy, Execution, Phase, PhaseKind, PhaseName, Placement};
use crate::lenient_json::{Document, FormatError, Json, Object, Value, shown};

use super::build_params;
use super::fields::Fields;

/// The `PhaseType` of a phase that runs `ci.sh`.
pub(super) const EXECUTION: i64 = 4;
/// The `PhaseType` of the deployment.
const DEPLOYMENT: i64 = 1;
/// The `ContainerPlatform` of Windows.
const WINDOWS: i64 = 5;
/// More replicas than this exceed any fleet, so the number must be a typo.
const MOST_REPLICAS: i64 = 1000;

/// A phase in the file.
pub(super) struct PhaseText<'d, 'a> {
    pub document: &'d Document<'a>,
    pub object: &'d Object<'a>,
    /// The byte range of the phase.
    pub span: &'d Range<usize>,
    /// Its environment, as written in errors: ``environment `dev` ``.
    pub environment: &'d str,
}

impl PhaseText<'_, '_> {
    /// Every key that has a meaning.
    pub const KEYS: &'static [&'static str] = &[
        "Name",
        "PhaseType",
        "BuildParams",
        "Order",
        "Parallelism",
        "ContainerImage",
        "ContinerImage",
        "ContainerPlatform",
    ];

    /// The phase's name for messages, even if its name is invalid.
    pub fn owner(&self) -> String {
        let name =
            self.object.fields.iter().find(|field| field.name == "Name").map(|field| &field.json.value);
        match name {
            Some(Value::Text(name)) if !name.trim().is_empty() => {
                format!("phase `{}` of {}", shown(name), self.environment)
            }
            _ => format!("a phase of {}", self.environment),
        }
    }
}

/// Reads a phase. `placement` is its environment's placement.
///
/// In a deployment only `Name`, `PhaseType` and `Order` have a meaning: no code runs and no container starts. An
/// execution on Windows fails here, so the error appears only when its workflow is requested, and does not affect
/// other environments.
pub(super) fn read_phase(text: &PhaseText<'_, '_>, placement: Placement) -> Result<Phase, FormatError> {
    let &PhaseText { document, object, span, .. } = text;
    let owner = text.owner();
    let fields = Fields { document, object, owner: owner.clone() };
    let missing = |key: &str| document.error(span, format!("{owner} has no `{key}`"));

    let (name, json) = fields.text("Name")?.ok_or_else(|| missing("Name"))?;
    let name = PhaseName::new(&**name).map_err(|error| {
        document
            .error(&json.span, format!("`Name` of a phase of {} is not usable: {error}", text.environment))
    })?;
    let (kind, json) = fields.number("PhaseType")?.ok_or_else(|| missing("PhaseType"))?;
    let (order, _) = fields.number("Order")?.ok_or_else(|| missing("Order"))?;
    let kind = match kind {
        EXECUTION => PhaseKind::Execution(read_execution(&fields, placement)?),
        DEPLOYMENT => PhaseKind::Deployment(Deploy::default()),
        other => {
            let what = format!("`PhaseType` of {owner} is {other}");
            return Err(document
                .error(&json.span, what)
                .hint("4 runs `ci.sh`, 1 deploys; there are no others"));
        }
    };
    Ok(Phase { name, order, kind })
}

fn read_execution(fields: &Fields<'_, '_>, placement: Placement) -> Result<Execution, FormatError> {
    let Fields { document, object: _, owner } = fields;
    if let Some(json) = fields.get("ContainerPlatform")?
        && is_windows(json)
    {
        let what = format!("{owner} requests a Windows container (`ContainerPlatform` is 5)");
        return Err(document.error(&json.span, what).hint("phases run on Linux only"));
    }
    let variables = match fields.text("BuildParams")? {
        None => Execution::default().variables,
        Some((text, json)) => build_params::parse(text).map_err(|mistake| {
            let error = document.error(&json.span, format!("`BuildParams` of {owner} {}", mistake.what));
            match mistake.hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?,
    };
    let parallelism = match fields.number("Parallelism")? {
        None => 1,
        Some((number, json)) => match u32::try_from(number) {
            Ok(replicas) if (1..=MOST_REPLICAS).contains(&number) => replicas,
            _ => return Err(fields.wrong("Parallelism", json, &format!("between 1 and {MOST_REPLICAS}"))),
        },
    };
    Ok(Execution { image: read_image(fields)?, variables, parallelism, placement, ..Execution::default() })
}

/// The builder image, under either spelling. An empty string means none, like `null`.
fn read_image(fields: &Fields<'_, '_>) -> Result<Option<String>, FormatError> {
    let mut image: Option<String> = None;
    for key in ["ContainerImage", "ContinerImage"] {
        let Some((text, json)) = fields.text(key)? else { continue };
        let text = text.trim();
        let is_valid = !text.starts_with('-') && !text.ends_with([':', '@']);
        if !is_valid || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(fields.wrong(key, json, "the name of an image"));
        }
        if image.as_deref().is_some_and(|before| before != text) && !text.is_empty() {
            let what = format!("{} has two builder images", fields.owner);
            let hint = "`ContinerImage` is another spelling of `ContainerImage`; keep one of them";
            return Err(fields.document.error(&json.span, what).hint(hint));
        }
        if !text.is_empty() {
            image = Some(text.to_owned());
        }
    }
    Ok(image)
}

fn is_windows(json: &Json<'_>) -> bool {
    match &json.value {
        Value::Number(number) => number.parse() == Ok(WINDOWS),
        Value::Text(text) => text.trim().parse() == Ok(WINDOWS),
        _ => false,
    }
}
