//! Finds the tags a template uses and says which of them nobody can fill.
//!
//! Deliberately allows little: handlebars' own `log` would write a secret into the log, `lookup` and `with` hide
//! from the check what is used, and a missing name inside `#if` is silently false.

use std::collections::BTreeSet;

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};

use crate::Problem;
use crate::error::did_you_mean;
use crate::facts::{REQUIRED, TAGS};

/// What may stand in double braces.
pub(crate) const SHAPES: &str = "expected {{tag}}, {{b64 tag}}, {{#if tag}} or {{#unless tag}}";

/// Tags of the Python EHOS, and what stands in their place.
const OLD_TAGS: [(&str, &str); 5] = [
    ("{master_ip}", "{{host_ip}}"),
    ("{host_ip}", "{{host_ip}}"),
    ("{uid_domain}", "{{uid_domain}}"),
    ("{password}", "{{b64 token}}: a node joins with a token of its own, not with the pool's password"),
    ("#{write_files}", "the files themselves, under write_files"),
];

/// Lists what is wrong with the tags of a parsed template.
pub(crate) fn problems_of(template: &Template, text: &str) -> Vec<Problem> {
    let mut walk = Walk::default();
    walk.template(template);
    let mut problems = walk.problems;
    problems.extend(old_tags(text));
    problems.sort_by_key(|problem| match problem.place {
        crate::Place::Source { line, column } => (line, column),
        _ => (usize::MAX, 0),
    });
    for tag in REQUIRED.iter().filter(|tag| !walk.used.contains(**tag)) {
        problems
            .push(Problem::whole(format!("the tag {tag} is missing; without it no server becomes a node")));
    }
    problems
}

#[derive(Default)]
struct Walk {
    used: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl Walk {
    fn template(&mut self, template: &Template) {
        for (i, element) in template.elements.iter().enumerate() {
            let (line, column) = template.mapping.get(i).map_or((1, 1), |at| (at.0, at.1));
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(tag) | TemplateElement::HtmlExpression(tag) => {
                    self.expression(tag, line, column);
                }
                TemplateElement::HelperBlock(block) => self.block(block, line, column),
                // Partials and decorators, and whatever handlebars may bring.
                _ => self.problem(line, column, SHAPES),
            }
        }
    }

    fn expression(&mut self, tag: &HelperTemplate, line: usize, column: usize) {
        match (tag.name.as_name(), tag.params.as_slice()) {
            (_, []) if tag.hash.is_empty() => self.tag(&tag.name, line, column),
            (Some("b64"), [param]) if tag.hash.is_empty() => self.tag(param, line, column),
            _ => self.problem(line, column, SHAPES),
        }
    }

    fn block(&mut self, block: &HelperTemplate, line: usize, column: usize) {
        match (block.name.as_name(), block.params.as_slice()) {
            (Some("if" | "unless"), [param]) if block.hash.is_empty() => self.tag(param, line, column),
            _ => self.problem(line, column, SHAPES),
        }
        for part in [&block.template, &block.inverse].into_iter().flatten() {
            self.template(part);
        }
    }

    fn tag(&mut self, name: &Parameter, line: usize, column: usize) {
        let Some(name) = name.as_name() else {
            return self.problem(line, column, SHAPES);
        };
        if let Some(tag) = TAGS.iter().find(|tag| **tag == name) {
            self.used.insert(tag);
            return;
        }
        let old = format!("{{{name}}}");
        let hint = match OLD_TAGS.iter().find(|(tag, _)| *tag == old) {
            Some((_, new)) => format!("; write {new}"),
            None => did_you_mean(name, TAGS),
        };
        self.problem(line, column, &format!("unknown tag {name}{hint}; known are {}", TAGS.join(", ")));
    }

    fn problem(&mut self, line: usize, column: usize, what: &str) {
        self.problems.push(Problem::at(line, column, what));
    }
}

/// Finds tags of the old form; `${…}`, `\{…}` and what stands inside `{{…}}` is somebody else's.
fn old_tags(text: &str) -> impl Iterator<Item = Problem> + '_ {
    text.lines().enumerate().flat_map(|(number, line)| {
        OLD_TAGS.iter().flat_map(move |(old, new)| {
            line.match_indices(old).filter(|(at, _)| !line[..*at].ends_with(['{', '$', '\\'])).map(
                move |(at, _)| {
                    let column = line[..at].chars().count() + 1;
                    Problem::at(number + 1, column, format!("{old} is a tag of the old form; write {new}"))
                },
            )
        })
    })
}
