//! What is wrong with a configuration, shown as a good compiler shows it.
//!
//! Deliberately holds no source text but the masked line, so that no secret can come out of it, not even through Debug.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// Whether a problem stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but something should be changed.
    Warning,
}

/// A place in a file, with its line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is said about the marked part.
    pub label: String,
    /// The line, secrets masked.
    pub(crate) shown: String,
    /// The bytes of `shown` that are meant.
    pub(crate) mark: Range<usize>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// Where; `None` where a file as a whole is meant.
    pub place: Option<Place>,
    /// The other place that matters: the first one of two equal keys.
    pub other: Option<Place>,
    /// What to do.
    pub help: Vec<String>,
}

impl Problem {
    /// Renders it with its source line; `color` adds terminal escapes.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.title.as_str()));
        if let Some(place) = &self.place {
            group = group.element(origin(place)).element(snippet(place, AnnotationKind::Primary));
        }
        if let Some(place) = &self.other {
            group = group.element(origin(place)).element(snippet(place, AnnotationKind::Context));
        }
        group = group.elements(self.help.iter().map(|help| Level::HELP.message(help.as_str())));
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        without_gaps(&renderer.render(&[group]))
    }
}

/// Takes out the `:::` that stands for lines left out: only the one line is ever shown.
fn without_gaps(rendered: &str) -> String {
    let is_gap = |line: &&str| {
        let visible: String =
            line.split('\u{1b}').map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect();
        visible.trim() == ":::"
    };
    let lines: Vec<&str> = rendered.lines().filter(|line| !is_gap(line)).collect();
    lines.join("\n")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

fn origin(place: &Place) -> Origin<'_> {
    Origin::path(place.file.to_string_lossy()).line(place.line).char_column(place.column)
}

fn snippet(place: &Place, kind: AnnotationKind) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let mut annotation = kind.span(place.mark.clone());
    if !place.label.is_empty() {
        annotation = annotation.label(place.label.as_str());
    }
    Snippet::source(place.shown.as_str()).line_start(place.line).annotation(annotation)
}

/// All that is wrong; at least one of them is an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// Gives them one by one, in the order of files and lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Renders all of them and how many they are; `color` adds terminal escapes.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        for problem in &self.0 {
            text.push_str(&problem.render(color));
            text.push_str("\n\n");
        }
        let count = |severity| self.0.iter().filter(|problem| problem.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let _ = write!(text, "{errors} error{}", plural(errors));
        if warnings > 0 {
            let _ = write!(text, ", {warnings} warning{}", plural(warnings));
        }
        text
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
