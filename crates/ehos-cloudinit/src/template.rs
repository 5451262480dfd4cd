//! A template for user-data: checked once when it is read, rendered once for each node.
//!
//! Deliberately strict: what it cannot fill, or what cloud-init would not understand, is an error and never a server.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use handlebars::{Handlebars, TemplateErrorReason, handlebars_helper};
use secrecy::{ExposeSecret, SecretString};

use crate::tags::{self, SHAPES};
use crate::{NodeFacts, Problem, TemplateError, cloud_config};

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
        // What handlebars says may quote what it rendered, so only the place is kept.
        let rendered = self.engine.render(ONLY, &facts.values()?).map_err(|error| {
            let what = "cannot be rendered";
            self.invalid(vec![match (error.line_no, error.column_no) {
                (Some(line), Some(column)) => Problem::at(line, column, what),
                _ => Problem::whole(what),
            }])
        })?;
        let rendered = SecretString::from(rendered);
        let text = rendered.expose_secret();
        let problems = cloud_config::problems_of(text, text.lines().count() == self.lines);
        if !problems.is_empty() {
            return Err(self.invalid(problems));
        }
        cloud_config::check_size(&self.name, text)?;
        Ok(rendered)
    }

    fn try_out(&self) -> Result<(), TemplateError> {
        for gpus in [0, 1] {
            self.render_node(&NodeFacts {
                pool: &"pool".into(),
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

    fn invalid(&self, problems: Vec<Problem>) -> TemplateError {
        TemplateError::Invalid { template: self.name.clone(), problems }
    }
}

fn syntax(error: &handlebars::TemplateError) -> Problem {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EXECUTE_YAML, Place};

    const TOKEN: &str = "aaa.bbb-_.ccc";

    /// The least that is valid, before the lines of a test.
    const LEAST: &str = "#cloud-config\nhostname: {{node}}\nruncmd: [[join, {{host_ip}}, {{token}}]]\n# MAXJOBRETIREMENTTIME EhosNode\n";

    fn parse(more: &str) -> Result<Template, TemplateError> {
        Template::parse("t.yaml", &format!("{LEAST}{more}"))
    }

    fn message<T: fmt::Debug>(result: Result<T, TemplateError>) -> String {
        result.unwrap_err().to_string()
    }

    fn render(template: &Template, gpus: u32, token: &str) -> Result<String, TemplateError> {
        let facts = NodeFacts {
            pool: &"pool".into(),
            node: &"n1".into(),
            cloud: &"bergen".into(),
            flavor: &"m1.medium".into(),
            gpus,
            host_ip: "192.0.2.7",
            uid_domain: "example.org",
            trust_domain: "example.org",
            token: &token.into(),
            update_interval: Duration::from_mins(1),
        };
        template.render_node(&facts).map(|text| text.expose_secret().to_owned())
    }

    #[test]
    fn what_cannot_be_filled_is_an_error_with_its_place() {
        for (more, expected, row) in [
            (
                "fqdn: {{nod}}\n",
                "t.yaml:5:7: unknown tag nod; did you mean node?; known are pool, node, cloud",
                "a slip of the pen",
            ),
            (
                "a: {{#if gpu}}b{{/if}}\n",
                "t.yaml:5:4: unknown tag gpu; did you mean gpus?",
                "strict inside #if, too",
            ),
            ("a: {{#if gpus}}\n{{x}}{{/if}}\n", "t.yaml:6:1: unknown tag x; known", "inside a block"),
            ("a: {{#if gpus}}{{else}}{{x}}{{/if}}\n", "t.yaml:5:24: unknown tag x; known", "inside its else"),
            ("a: {{b64 tokn}}\n", "t.yaml:5:4: unknown tag tokn; did you mean token?", "given to a helper"),
            ("a: {{hex token}}\n", "t.yaml:5:4: expected {{tag}}, {{b64 tag}}", "no such helper"),
            ("a: {{log token}}\n", "t.yaml:5:4: expected {{tag}}", "would write a secret into the log"),
            ("a: {{lookup this 'token'}}\n", "t.yaml:5:4: expected {{tag}}", "would hide what is used"),
            ("{{#each this}}{{/each}}\n", "t.yaml:5:1: expected {{tag}}", "no loops"),
            ("{{> other}}\n", "t.yaml:5:1: expected {{tag}}", "no partials"),
            ("a: {{@root.token}}\n", "t.yaml:5:4: unknown tag @root.token", "no paths"),
            (
                "a: {{master_ip}}\n",
                "t.yaml:5:4: unknown tag master_ip; write {{host_ip}}; known",
                "an old name",
            ),
            ("a: {{password}}\n", "t.yaml:5:4: unknown tag password; write {{b64 token}}", "another"),
            (
                "a: {{node\n",
                "t.yaml:6:1: the template cannot be read up to here: expected {{tag}}",
                "not closed",
            ),
            ("a: {{#if gpus}}\n", "t.yaml:6:1: the template cannot be read up to here", "a block not closed"),
            (
                "a: {{#if gpus}}{{/each}}\n",
                "t.yaml:5:16: helper \"if\" was opened, but \"each\" is closing",
                "closed wrongly",
            ),
        ] {
            let message = message(parse(more));
            assert!(message.starts_with(expected), "{row}: {message}");
        }
    }

    #[test]
    fn all_wrong_tags_are_told_at_once() {
        let message =
            message(Template::parse("t.yaml", "#cloud-config\na: {{x}}\nb: {master_ip}\nc: {{y}}\n"));
        let starts: Vec<_> = message.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(starts, ["t.yaml:2:4:", "t.yaml:3:4:", "t.yaml:4:4:", "t.yaml:", "t.yaml:", "t.yaml:"]);
        for missing in ["node", "host_ip", "token"] {
            assert!(message.contains(&format!("the tag {missing} is missing")), "{message}");
        }
    }

    #[test]
    fn tags_of_the_old_form_are_refused_and_look_alikes_left_alone() {
        for (more, refused) in [
            ("a: {master_ip}\n", true),
            ("a: x{uid_domain}\n", true),
            ("a: '{password}'\n", true),
            ("a: {host_ip}\n", true),
            ("#{write_files}\n", true),
            ("a: ${host_ip}\n", false),
            ("a: \\{host_ip}\n", false),
            ("a: {{host_ip}}\n", false),
            ("a: {{{host_ip}}}\n", false),
            ("a: ${HOME} {} {a,b} awk '{print $1}'\n", false),
        ] {
            let message = parse(more).map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(message.contains("of the old form; write "), refused, "{more}{message}");
        }
    }

    #[test]
    fn what_cloud_init_would_not_understand_is_an_error() {
        for (text, expected, row) in [
            ("#!/bin/sh\n".to_owned(), "t.yaml:1:1: expected #cloud-config", "a script"),
            (format!("## template: jinja\n{LEAST}"), "t.yaml:1:1: expected #cloud-config", "jinja"),
            (format!("\u{feff}{LEAST}"), "t.yaml:1:1: expected #cloud-config", "a byte order mark"),
            (String::new(), "t.yaml:1:1: expected #cloud-config", "nothing"),
            (format!("{LEAST}runcmd: []\n"), "t.yaml:5:1: not valid YAML: ", "a duplicate key"),
            (format!("{LEAST}a: [\n"), "t.yaml:", "a list not closed"),
            (format!("{LEAST}\ta: b\n"), "t.yaml:", "a tab"),
            (format!("{LEAST}a: *nobody\n"), "t.yaml:5:", "an unknown alias"),
            (format!("{LEAST}---\n{LEAST}"), "t.yaml:", "two documents"),
            (
                format!("{LEAST}run_cmd: []\n"),
                "t.yaml:5:1: cloud-init knows no run_cmd; did you mean runcmd?",
                "a key",
            ),
            (
                format!("{LEAST}{{{{#if gpus}}}}\nrun_cmd: []\n{{{{/if}}}}\n"),
                "t.yaml: line 5, column 1 of the rendered text: cloud-init knows no run_cmd",
                "only with GPUs, where lines are shifted",
            ),
            (
                "#cloud-config\n- {{node}} {{token}} {{host_ip}}\n".to_owned(),
                "t.yaml: expected keys",
                "a list",
            ),
            ("#cloud-config\n{{node}} {{token}} {{host_ip}}\n".to_owned(), "t.yaml: expected keys", "a word"),
        ] {
            let message = message(Template::parse("t.yaml", &text));
            assert!(message.starts_with(expected), "{row}: {message}");
        }
    }

    #[test]
    fn messages_show_no_text_of_the_template() {
        for more in [
            "password: [hunter2\nb: }hunter2\n",
            "a: hunter2: x\n",
            "a: *hunter\n  hunter2\n",
            "a: \"hunter2\n",
        ] {
            let message = message(parse(more));
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert!(!format!("{:?}", parse("# hunter2\n").unwrap()).contains("hunter2"));
    }

    #[test]
    fn line_ends_of_windows_and_literal_braces_are_taken() {
        let crlf = Template::parse("t.yaml", &LEAST.replace('\n', "\r\n")).unwrap();
        assert!(render(&crlf, 0, TOKEN).unwrap().contains("hostname: n1\r\n"));
        let literal = parse("bootcmd: ['docker ps --format \\{{.Names}}']\n").unwrap();
        assert!(render(&literal, 0, TOKEN).unwrap().contains("--format {{.Names}}']"));
    }

    #[test]
    fn a_missing_rule_is_a_warning() {
        assert_eq!(parse("").unwrap().warnings().len(), 2, "a comment does not count");
        assert_eq!(Template::parse("execute.yaml", EXECUTE_YAML).unwrap().warnings(), [""; 0]);
    }

    #[test]
    fn gpus_are_looked_for_where_there_are_some() {
        let template = Template::parse("execute.yaml", EXECUTE_YAML).unwrap();
        let (without, with) = (render(&template, 0, TOKEN).unwrap(), render(&template, 2, TOKEN).unwrap());
        assert!(!without.contains("use feature:GPUs") && without.contains("\n      STARTD_DETECT_GPUS =\n"));
        assert!(with.contains("\n      use feature:GPUs\n") && !with.contains("STARTD_DETECT_GPUS"));
    }

    #[test]
    fn what_nova_would_not_take_is_refused_with_its_size() {
        let template = parse(&format!("# {}\n", "x".repeat(48_900))).unwrap();
        let with_token = |length: usize| render(&template, 0, &"x".repeat(length));
        let fits = 49_149 - with_token(1).unwrap().len() + 1;
        assert_eq!(STANDARD.encode(with_token(fits).unwrap()).len(), 65_532);
        assert_eq!(
            message(with_token(fits + 1)),
            "t.yaml: the user-data is too large: 49150 bytes, 65536 characters in base64; Nova takes 65535"
        );
        let message = message(parse(&format!("# {}\n", "x".repeat(50_000))));
        assert!(message.contains("too large"), "told when it is read, not with the first node: {message}");
    }

    #[test]
    fn the_error_of_a_missing_part_has_no_place() {
        let Err(TemplateError::Invalid { problems, .. }) = Template::parse("t", "#cloud-config\n") else {
            panic!("expected Invalid");
        };
        assert_eq!(problems[0].place, Place::Whole);
    }
}
