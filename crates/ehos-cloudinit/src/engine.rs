//! The template engine, set up so that it does little: no HTML, no missing names, two functions.
//!
//! Deliberately tells of its errors only where they are: its words may quote what it rendered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handlebars::{Handlebars, TemplateErrorReason, handlebars_helper};
use serde_json::Value;

use crate::facts::pool_key;
use crate::tags::SHAPES;
use crate::{EXECUTE_YAML, Kind, MASTER_YAML, Problem};

const ONLY: &str = "template";

/// A template that can be filled.
#[derive(Clone)]
pub(crate) struct Engine(Handlebars<'static>);

impl Engine {
    pub(crate) fn new(parsed: handlebars::Template) -> Self {
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        engine.register_escape_fn(handlebars::no_escape);
        handlebars_helper!(b64: |text: str| STANDARD.encode(text));
        handlebars_helper!(poolkey: |text: str| pool_key(text));
        engine.register_helper("b64", Box::new(b64));
        engine.register_helper("poolkey", Box::new(poolkey));
        engine.register_template(ONLY, parsed);
        Self(engine)
    }

    /// The shipped template of that kind, for the files in it.
    pub(crate) fn shipped(kind: Kind) -> Option<Self> {
        let text = match kind {
            Kind::Base => return None,
            Kind::Execute => EXECUTE_YAML,
            Kind::Master => MASTER_YAML,
        };
        handlebars::Template::compile(text).ok().map(Self::new)
    }

    pub(crate) fn fill(&self, values: &Value) -> Result<String, Problem> {
        self.0.render(ONLY, values).map_err(|error| {
            let what = "cannot be rendered";
            match (error.line_no, error.column_no) {
                (Some(line), Some(column)) => Problem::at(line, column, what),
                _ => Problem::whole(what),
            }
        })
    }
}

/// What is wrong with a text that is no template.
pub(crate) fn syntax(error: &handlebars::TemplateError) -> Problem {
    let what = match error.reason() {
        // The engine would list the rules of its grammar.
        TemplateErrorReason::InvalidSyntax(_) => format!(
            "the template cannot be read up to here: {SHAPES}, each {{{{#if}}}} with its {{{{/if}}}}; a literal \
             {{{{ is written \\{{{{"
        ),
        reason => reason.to_string(),
    };
    match error.pos() {
        Some((line, column)) => Problem::at(line, column, what),
        None => Problem::whole(what),
    }
}
