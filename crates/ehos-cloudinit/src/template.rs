//! A template for user-data: checked once when it is read, rendered once for each node.
//!
//! Deliberately strict: what it cannot fill, or what cloud-init would not understand, is an error and never a server.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use handlebars::{Handlebars, handlebars_helper};
use secrecy::{ExposeSecret, SecretString};

use crate::{NodeFacts, Problem, TemplateError, cloud_config, tags};

const ONLY: &str = "template";

/// A valid template.
#[derive(Clone)]
pub struct Template {
    name: String,
    lines: usize,
    engine: Handlebars<'static>,
    warnings: Vec<String>,
}

/// Shows the name only: an operator's own template may hold secrets.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Template {
    /// Reads a template and proves on samples, with and without GPUs, that cloud-init will understand it.
    ///
    /// `name` is what messages call it, its path for example.
    ///
    /// # Errors
    /// [`TemplateError::Invalid`] with all problems that can be told at once; [`TemplateError::TooLarge`].
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        let invalid = |problems| TemplateError::Invalid { template: name.to_owned(), problems };
        let first = text.lines().next().unwrap_or_default();
        if first.trim_end() != "#cloud-config" {
            return Err(invalid(vec![Problem::at(1, 1, "expected #cloud-config alone on the first line")]));
        }
        let parsed = handlebars::Template::compile(text).map_err(|error| invalid(vec![syntax(&error)]))?;
        let problems = tags::problems_of(&parsed, text);
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(handlebars::no_escape);
        handlebars_helper!(b64: |text: str| STANDARD.encode(text));
        engine.register_helper("b64", Box::new(b64));
        engine.register_template(ONLY, parsed);
        let template =
            Self { name: name.to_owned(), lines: text.lines().count(), engine, warnings: warnings_of(text) };
        template.try_out()?;
        Ok(template)
    }

    /// What is allowed but unwise, to be logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Renders the user-data of one node: text that begins with `#cloud-config`, not yet base64.
    ///
    /// # Errors
    /// [`TemplateError::Value`] where a fact could break out of its place, [`TemplateError::TooLarge`] where Nova
    /// would refuse the result, [`TemplateError::Invalid`] where it is no cloud-config.
    pub fn render_node(&self, facts: &NodeFacts<'_>) -> Result<SecretString, TemplateError> {
        // RenderError may quote what was rendered, so only its place is kept.
        let rendered = self.engine.render(ONLY, &facts.values()?).map_err(|error| {
            let what = "cannot be rendered";
            self.invalid(match (error.line_no, error.column_no) {
                (Some(line), Some(column)) => Problem::at(line, column, what),
                _ => Problem::whole(what),
            })
        })?;
        let rendered = SecretString::from(rendered);
        let text = rendered.expose_secret();
        cloud_config::check(text, text.lines().count() == self.lines)
            .map_err(|problem| self.invalid(problem))?;
        cloud_config::check_size(&self.name, text)?;
        Ok(rendered)
    }

    fn try_out(&self) -> Result<(), TemplateError> {
        for gpus in [0, 1] {
            self.render_node(&NodeFacts {
                node: &"ehos-execute-1".into(),
                cloud: &"cloud".into(),
                flavor: &"flavor".into(),
                gpus,
                host_ip: "192.0.2.1",
                uid_domain: "example.org",
                trust_domain: "example.org",
                token: &"token".into(),
                update_interval: Duration::from_mins(1),
            })?;
        }
        Ok(())
    }

    fn invalid(&self, problem: Problem) -> TemplateError {
        TemplateError::Invalid { template: self.name.clone(), problems: vec![problem] }
    }
}

fn syntax(error: &handlebars::TemplateError) -> Problem {
    let what = error.reason().to_string();
    match error.pos() {
        Some((line, column)) => Problem::at(line, column, what),
        None => Problem::whole(what),
    }
}

/// What the rest of EHOS relies on; it may come from the image instead, so its absence is no error.
fn warnings_of(text: &str) -> Vec<String> {
    [
        ("MAXJOBRETIREMENTTIME", "without it HTCondor kills running jobs when a node is drained"),
        ("EhosNode", "without it a startd is not known as the node that was bought"),
    ]
    .iter()
    .filter(|(word, _)| !text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(word)))
    .map(|(word, why)| format!("{word} is not set: {why}"))
    .collect()
}
