//! What can be wrong with a template or with what is put into it, told so that the operator can mend it.
//!
//! Deliberately carries no text out of a template or a rendered file: either may hold secrets.

use std::fmt;
use std::path::PathBuf;

use crate::Kind;

/// Where in a template a problem is; lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the template's own text.
    Source {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In the text that came out: blocks and comments of the template have shifted its lines.
    Rendered {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In the template as a whole: something is missing.
    Whole,
}

/// One problem of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what was expected instead.
    pub what: String,
}

impl Problem {
    pub(crate) fn at(line: usize, column: usize, what: impl Into<String>) -> Self {
        Self { place: Place::Source { line, column }, what: what.into() }
    }

    pub(crate) fn whole(what: impl Into<String>) -> Self {
        Self { place: Place::Whole, what: what.into() }
    }
}

/// Why nothing can be rendered. Names no secret.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template itself is wrong; all its problems at once, in the order of its lines.
    #[error("{}", ProblemList(template, problems))]
    Invalid {
        /// The template's name, as given to [`crate::Template::parse`].
        template: String,
        /// At least one.
        problems: Vec<Problem>,
    },
    /// A value cannot be put in safely.
    #[error("the {tag} {value}cannot stand in a node's configuration: expected {expected}", value = quoted(value.as_deref()))]
    Value {
        /// The tag it is for.
        tag: &'static str,
        /// The value, unless it is a secret.
        value: Option<String>,
        /// What is allowed.
        expected: &'static str,
    },
    /// A node joins by another secret than the template is written for.
    #[error("{template}: the tag {tag} cannot be filled: {why}")]
    Secret {
        /// The template's name.
        template: String,
        /// The tag.
        tag: &'static str,
        /// What is used in its place, and by which setting.
        why: &'static str,
    },
    /// A template is rendered for what it is not made for.
    #[error("{template} is a template for {is}, not for {wanted}")]
    WrongKind {
        /// The template's name.
        template: String,
        /// What it is for.
        is: Kind,
        /// What was asked for.
        wanted: Kind,
    },
    /// Nova would not take it.
    #[error(
        "{template}: the user-data is too large: {bytes} bytes, and compressed still {compressed} bytes, {base64} \
         characters in base64; Nova takes {limit}"
    )]
    TooLarge {
        /// The template's name.
        template: String,
        /// Size as rendered with all its parts, bytes.
        bytes: usize,
        /// Size after gzip, bytes.
        compressed: usize,
        /// Size as it would be sent, characters of base64.
        base64: usize,
        /// The most that is taken, characters of base64.
        limit: usize,
    },
    /// A template cannot be read.
    #[error("cannot read the template {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no template of that name, neither in a folder nor in the program.
    #[error("no template {name}: looked in {}", folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", "))]
    NotFound {
        /// The name.
        name: String,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
}

fn quoted(value: Option<&str>) -> String {
    value.map(|value| format!("{value:?} ")).unwrap_or_default()
}

struct ProblemList<'a>(&'a str, &'a [Problem]);

impl fmt::Display for ProblemList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Problem { place, what }) in self.1.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            match place {
                Place::Source { line, column } => write!(f, "{}:{line}:{column}: {what}", self.0)?,
                Place::Rendered { line, column } => {
                    write!(f, "{}: line {line}, column {column} of the rendered text: {what}", self.0)?;
                }
                Place::Whole => write!(f, "{}: {what}", self.0)?,
            }
        }
        Ok(())
    }
}

/// Returns the words of `known` that come nearest to `word`, as a question to append; empty where none is near.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("; did you mean {candidate}?"))
        .unwrap_or_default()
}
