//! The whole file: its environments, and the workflow of each.

use std::collections::BTreeSet;
use std::fmt;

use crate::domain::{Placement, Workflow, WorkflowError};
use crate::lenient_json::{
    Document, Field, FilePosition, FormatError, Json, Object, Value, decode, is_meant, shown,
};

use super::fields::Fields;
use super::phase::{EXECUTION, PhaseText, read_phase};

/// The name of the element for every environment without its own.
pub const DEFAULT_ENVIRONMENT: &str = "default";

/// A parsed `katkitconfig.js`.
#[derive(Clone, Debug)]
pub struct KatkitConfig {
    environments: Vec<Environment>,
    notes: Vec<Note>,
}

/// One element of the file.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `EnvName`: one line of text, unique in the file.
    pub name: String,
    /// The position of the name.
    pub place: FilePosition,
    /// Its workflow, or the first mistake in it.
    pub workflow: Result<Workflow, FormatError>,
}

/// The workflow chosen for an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenWorkflow {
    /// `EnvName` of the element that contains it.
    pub name: String,
    /// Whether it is the fallback for environments without their own.
    pub is_default: bool,
    /// The workflow.
    pub workflow: Workflow,
}

/// Something in the file that has no effect, perhaps to its author's surprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A lowercase fragment, like those of errors.
    pub what: String,
    /// Its position.
    pub place: FilePosition,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.place)
    }
}

impl Environment {
    /// Whether it is the fallback for environments without their own.
    pub fn is_default(&self) -> bool {
        self.name.eq_ignore_ascii_case(DEFAULT_ENVIRONMENT)
    }
}

impl KatkitConfig {
    /// Parses the file. Fails only for mistakes that concern the whole file; see the module for mistakes in a workflow.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let document = Document::read(decode(bytes)?)?;
        let root = document.root();
        let Value::List(elements) = &root.value else {
            let what = format!("the file holds {}, not a list of environments", root.shown());
            return Err(document
                .error(&root.span, what)
                .hint("write `[ { \"EnvName\": …, \"WorkFlow\": […] } ]`"));
        };
        if elements.is_empty() {
            return Err(document.error(&root.span, "the list of environments is empty"));
        }
        let mut notes = Vec::new();
        let mut environments: Vec<Environment> = Vec::new();
        for element in elements {
            let environment = read_environment(&document, element, &mut notes)?;
            if let Some(first) = environments.iter().find(|other| other.name == environment.name) {
                let what = format!("environment `{}` is given twice", shown(&environment.name));
                let hint = format!("the first is at {}; remove one of the two", first.place);
                return Err(document.error(&environment.place.span, what).hint(hint));
            }
            environments.push(environment);
        }
        Ok(Self { environments, notes })
    }

    /// The workflow of the environment `name`, or else of `default`. An exact match is preferred; otherwise case is
    /// ignored.
    ///
    /// Fails if there is neither, if several names differ from `name` only in case, or if the workflow has a mistake.
    pub fn for_environment(&self, name: &str) -> Result<ChosenWorkflow, FormatError> {
        let own = self.find(name)?;
        let found = match own {
            Some(own) => Some(own),
            None => self.find(DEFAULT_ENVIRONMENT)?,
        };
        let environment = found.ok_or_else(|| self.no_environment(name))?;
        let workflow = environment.workflow.clone()?;
        Ok(ChosenWorkflow { name: environment.name.clone(), is_default: own.is_none(), workflow })
    }

    fn find(&self, name: &str) -> Result<Option<&Environment>, FormatError> {
        if let Some(exact) = self.environments.iter().find(|environment| environment.name == name) {
            return Ok(Some(exact));
        }
        let lower = name.to_lowercase();
        let mut alike =
            self.environments.iter().filter(|environment| environment.name.to_lowercase() == lower);
        match (alike.next(), alike.next()) {
            (Some(first), Some(second)) => {
                let (first, second) = (shown(&first.name), shown(&second.name));
                let what = format!("environment `{}` may be `{first}` or `{second}`", shown(name));
                Err(FormatError::new(what).hint("rename one of the two, or spell one as in the tenant"))
            }
            (found, _) => Ok(found),
        }
    }

    /// The environments, in file order.
    pub fn environments(&self) -> &[Environment] {
        &self.environments
    }

    /// Everything in the file that has no effect, in file order.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn no_environment(&self, name: &str) -> FormatError {
        let names: Vec<_> = self.environments.iter().map(|it| format!("`{}`", shown(&it.name))).collect();
        let what = format!(
            "there is no workflow for environment `{}`, and none for `{DEFAULT_ENVIRONMENT}`; the file has {}",
            shown(name),
            names.join(", ")
        );
        FormatError::new(what).hint("add an element whose `EnvName` is the tenant's environment")
    }
}

fn read_environment(
    document: &Document<'_>,
    element: &Json<'_>,
    notes: &mut Vec<Note>,
) -> Result<Environment, FormatError> {
    let Value::Object(object) = &element.value else {
        let what = format!("an environment is an object, not {}", element.shown());
        return Err(document.error(&element.span, what));
    };
    let fields = Fields { document, object, owner: "an environment".to_owned() };
    let Some(json) = fields.get("EnvName")? else {
        let what = "an environment has no `EnvName`";
        return Err(document
            .error(&element.span, what)
            .hint("give it the tenant's environment, or \"default\""));
    };
    let name = match &json.value {
        Value::Text(name) if !name.trim().is_empty() && !name.chars().any(char::is_control) => {
            name.to_string()
        }
        _ => {
            let what = format!("`EnvName` is {}, not the name of an environment", json.shown());
            return Err(document.error(&json.span, what));
        }
    };
    let of = format!("environment `{}`", shown(&name));
    unknown_keys(document, object, &["EnvName", "LocalFleet", "WorkFlow"], &of, notes);
    let fields = Fields { document, object, owner: of };
    let workflow = read_workflow(&fields, element, notes);
    Ok(Environment { name, place: document.place(&json.span), workflow })
}

fn read_workflow(
    fields: &Fields<'_, '_>,
    element: &Json<'_>,
    notes: &mut Vec<Note>,
) -> Result<Workflow, FormatError> {
    let placement = match fields.flag("LocalFleet")? {
        Some(false) => Placement::Build,
        Some(true) | None => Placement::Tenant,
    };
    let (document, of) = (fields.document, &fields.owner);
    let phases = match fields.get("WorkFlow")? {
        None => return Err(document.error(&element.span, format!("{of} has no `WorkFlow`"))),
        Some(json) => match &json.value {
            Value::List(phases) if phases.is_empty() => {
                let what = format!("the `WorkFlow` of {of} has no phases");
                return Err(document.error(&json.span, what));
            }
            Value::List(phases) => phases,
            _ => return Err(fields.wrong("WorkFlow", json, "a list of phases")),
        },
    };
    let mut read = Vec::new();
    let mut mistake = None;
    for json in phases {
        let Value::Object(object) = &json.value else {
            let what = format!("a phase of {of} is {}, not an object", json.shown());
            return Err(document.error(&json.span, what));
        };
        let text = PhaseText { document, object, span: &json.span, environment: of };
        // A mistake in one phase does not suppress notes on the others.
        match read_phase(&text, placement) {
            Ok(phase) => read.push((phase, &json.span)),
            Err(error) => mistake = mistake.or(Some(error)),
        }
        unknown_keys(document, object, PhaseText::KEYS, &text.owner(), notes);
    }
    if let Some(mistake) = mistake {
        return Err(mistake);
    }
    Workflow::new(read.iter().map(|(phase, _)| phase.clone()).collect()).map_err(|error| {
        let (at, hint) = match &error {
            WorkflowError::Twice(name) => (
                read.iter().rfind(|(phase, _)| phase.name == *name),
                "give one of the two another `Name`".to_owned(),
            ),
            WorkflowError::TwoDeployments { second, .. } => (
                read.iter().find(|(phase, _)| phase.name == *second),
                format!(
                    "remove one of the two, or make it a phase that runs code: `\"PhaseType\": {EXECUTION}`"
                ),
            ),
        };
        let span = at.map_or(&element.span, |&(_, span)| span);
        document.error(span, format!("in {of}, {error}")).hint(hint)
    })
}

/// Notes every key that is not in `known`.
fn unknown_keys(
    document: &Document<'_>,
    object: &Object<'_>,
    known: &[&str],
    owner: &str,
    notes: &mut Vec<Note>,
) {
    let mut seen = BTreeSet::new();
    for Field { name, span, .. } in &object.fields {
        if known.contains(&&**name) || !seen.insert(name) {
            continue;
        }
        let meant = known.iter().find(|known| is_meant(name, known));
        let rest = match (meant, &**name) {
            (Some(meant), _) => format!("; did you mean `{meant}`?"),
            (None, "Volumes") => "; the fleet's `caches` set what phases keep between runs".to_owned(),
            (None, _) => String::new(),
        };
        let what = format!("`{}` of {owner} has no effect{rest}", shown(name));
        notes.push(Note { what, place: document.place(span) });
    }
}
