//! Finds the tags a template uses and says which of them nobody can fill.
//!
//! Deliberately allows little: handlebars' own `log` would write a secret into the log, `lookup` and `with` hide
//! from the check what is used, and a missing name inside `#if` is silently false.

use std::collections::BTreeSet;

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};

use crate::error::did_you_mean;
use crate::legacy::{self, Old};
use crate::{Kind, Problem};

/// What may stand in double braces.
pub(crate) const SHAPES: &str = "expected {{tag}}, {{b64 tag}}, {{#if tag}} or {{#unless tag}}";

/// Functions of one tag: base64, and the form in which HTCondor keeps a password.
const FUNCTIONS: [&str; 2] = ["b64", "poolkey"];

/// Lists the tags that a parsed template uses, and what is wrong with them.
pub(crate) fn of(template: &Template, kind: Kind) -> (BTreeSet<&'static str>, Vec<Problem>) {
    let mut walk = Walk { kind, used: BTreeSet::new(), problems: Vec::new() };
    walk.template(template);
    (walk.used, walk.problems)
}

/// Lists the tags that tags of the old form stand for, and those that nobody can fill.
pub(crate) fn of_old(found: &[(usize, usize, Old)], kind: Kind) -> (BTreeSet<&'static str>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for (line, column, old) in found {
        match kind.tags().iter().find(|tag| **tag == old.tag) {
            Some(tag) => drop(used.insert(*tag)),
            // A master knows its own address.
            None if kind == Kind::Master && old.tag == "host_ip" => {}
            None => {
                problems.push(Problem::at(
                    *line,
                    *column,
                    format!("{kind} is not told any {{{}}}", old.name),
                ));
            }
        }
    }
    (used, problems)
}

/// Lists the tags that are missing.
pub(crate) fn missing(used: &BTreeSet<&'static str>, kind: Kind) -> Vec<Problem> {
    let missing = kind.required().iter().filter(|one_of| !one_of.iter().any(|tag| used.contains(tag)));
    missing
        .map(|one_of| {
            Problem::whole(format!(
                "the tag {} is missing; without it no server becomes {kind}",
                one_of.join(" or ")
            ))
        })
        .collect()
}

struct Walk {
    kind: Kind,
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
            (Some(function), [param]) if FUNCTIONS.contains(&function) && tag.hash.is_empty() => {
                self.tag(param, line, column);
            }
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
        let tags = self.kind.tags();
        if let Some(tag) = tags.iter().find(|tag| **tag == name) {
            self.used.insert(tag);
            return;
        }
        let hint = match legacy::old(name) {
            Some(old) if tags.contains(&old.tag) => format!("; write {}", old.advice),
            _ => did_you_mean(name, tags.iter().copied()),
        };
        let known = if tags.is_empty() { "none".to_owned() } else { tags.join(", ") };
        self.problem(line, column, &format!("unknown tag {name}{hint}; known for {} are {known}", self.kind));
    }

    fn problem(&mut self, line: usize, column: usize, what: &str) {
        self.problems.push(Problem::at(line, column, what));
    }
}
