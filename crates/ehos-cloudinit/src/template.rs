//! A template for user-data: checked once when it is read, rendered once for each server.
//!
//! Deliberately strict: what it cannot fill, or what cloud-init would not understand, is an error and never a server.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::engine::{Engine, syntax};
use crate::legacy::{Old, files_of, insert_files, translate};
use crate::tags;
use crate::{Kind, MasterFacts, NodeFacts, Problem, Secret, TemplateError, cloud_config, pack};

/// A valid template.
#[derive(Clone)]
pub struct Template {
    kind: Kind,
    name: String,
    lines: usize,
    body: Body,
    used: BTreeSet<&'static str>,
    /// The items of `write_files` that are put into a template of the old form.
    files: Option<Engine>,
    warnings: Vec<String>,
}

#[derive(Clone)]
enum Body {
    /// With tags of today.
    Tags(Engine),
    /// For cloud-init's own jinja, whose double braces are its own: with tags of the old form alone.
    Jinja(String),
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
    pub fn parse(kind: Kind, name: &str, text: &str) -> Result<Self, TemplateError> {
        let invalid = |problems| TemplateError::Invalid { template: name.to_owned(), problems };
        let is_jinja = check_head(text).map_err(|problem| invalid(vec![problem]))?;
        let translated = translate(text, |old| if is_jinja { None } else { Some(today(kind, old)) });
        let (body, used) = if is_jinja {
            let (used, problems) = tags::of_old(&translated.found, kind);
            if !problems.is_empty() {
                return Err(invalid(problems));
            }
            // Translated once more with every server; the place for files is a mere comment by now.
            (Body::Jinja(translated.text.clone()), used)
        } else {
            let placed = |problem: Problem| Problem { place: translated.place(problem.place), ..problem };
            let parsed = handlebars::Template::compile(&translated.text)
                .map_err(|error| invalid(vec![placed(syntax(&error))]))?;
            let (used, problems) = tags::of(&parsed, kind);
            if !problems.is_empty() {
                let missing = tags::missing(&used, kind);
                return Err(invalid(problems.into_iter().map(placed).chain(missing).collect()));
            }
            (Body::Tags(Engine::new(parsed)), used)
        };
        let mut warnings = translated.warnings(kind);
        let missing = tags::missing(&used, kind);
        let files = if translated.files.is_some() || !missing.is_empty() && !translated.found.is_empty() {
            if translated.files.is_none() {
                warnings.push(format!(
                    "it is of the old form and does not tell all that makes a server {kind}, so the files of {} are \
                     put into it",
                    kind.file_name()
                ));
            }
            Engine::shipped(kind)
        } else {
            None
        };
        if files.is_none() && !missing.is_empty() {
            return Err(invalid(missing));
        }
        warnings.extend(unwise(kind, text, files.is_some()));
        let lines = text.lines().count();
        let template = Self { kind, name: name.to_owned(), lines, body, used, files, warnings };
        template.try_out()?;
        Ok(template)
    }

    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is allowed but unwise, to be logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Renders the user-data of one node: text that begins with `#cloud-config`, to be given to [`crate::pack`].
    ///
    /// # Errors
    /// [`TemplateError::Value`] where a fact could break out of its place, [`TemplateError::Secret`] where the
    /// template wants the other secret, [`TemplateError::Invalid`] where the result is no cloud-config,
    /// [`TemplateError::WrongKind`].
    pub fn render_node(&self, facts: &NodeFacts<'_>) -> Result<SecretString, TemplateError> {
        self.render(Kind::Execute, Some(facts.secret), &facts.values()?)
    }

    /// Renders the user-data of a server that an image is made of.
    ///
    /// # Errors
    /// [`TemplateError::Invalid`], [`TemplateError::WrongKind`].
    pub fn render_base(&self) -> Result<SecretString, TemplateError> {
        self.render(Kind::Base, None, &Value::Object(serde_json::Map::new()))
    }

    /// Renders the user-data of a master.
    ///
    /// # Errors
    /// [`TemplateError::Value`] where a fact could break out of its place, [`TemplateError::Invalid`],
    /// [`TemplateError::WrongKind`].
    pub fn render_master(&self, facts: &MasterFacts<'_>) -> Result<SecretString, TemplateError> {
        self.render(Kind::Master, None, &facts.values()?)
    }

    fn render(
        &self,
        wanted: Kind,
        secret: Option<Secret<'_>>,
        values: &Value,
    ) -> Result<SecretString, TemplateError> {
        if self.kind != wanted {
            return Err(TemplateError::WrongKind { template: self.name.clone(), is: self.kind, wanted });
        }
        let rendered = SecretString::from(match &self.body {
            Body::Tags(engine) => self.fill(engine, secret, values)?,
            Body::Jinja(text) => {
                if let Some(other) = self.lacks(secret) {
                    return Err(other);
                }
                translate(text, |old| Some(in_words(self.kind, old, values))).text
            }
        });
        let rendered = match &self.files {
            None => rendered,
            Some(engine) => {
                let files = SecretString::from(self.fill(engine, secret, values)?);
                let files = files_of(files.expose_secret());
                let text = insert_files(rendered.expose_secret(), &files).map_err(|line| {
                    let what = "write_files is not a list with a line for each of its items; nothing can be added to it";
                    self.invalid(vec![Problem::at(line, 1, what)])
                })?;
                SecretString::from(text)
            }
        };
        self.check(rendered.expose_secret())?;
        Ok(rendered)
    }

    fn check(&self, text: &str) -> Result<(), TemplateError> {
        if matches!(self.body, Body::Jinja(_)) && (text.contains("{{") || text.contains("{%")) {
            return Ok(()); // It is YAML when the server has filled it in.
        }
        let problems = cloud_config::problems_of(text, text.lines().count() == self.lines);
        if problems.is_empty() { Ok(()) } else { Err(self.invalid(problems)) }
    }

    fn fill(
        &self,
        engine: &Engine,
        secret: Option<Secret<'_>>,
        values: &Value,
    ) -> Result<String, TemplateError> {
        engine
            .fill(values)
            .map_err(|problem| self.lacks(secret).unwrap_or_else(|| self.invalid(vec![problem])))
    }

    /// The tag that it wants filled with the secret that there is not.
    fn lacks(&self, secret: Option<Secret<'_>>) -> Option<TemplateError> {
        let (tag, why) = match secret? {
            Secret::Token(_) => {
                ("password", "with authentication: idtokens a node joins with a token, {{b64 token}}")
            }
            Secret::Password(_) => ("token", "with authentication: password a node joins with {{password}}"),
        };
        self.used.contains(tag).then(|| TemplateError::Secret { template: self.name.clone(), tag, why })
    }

    /// Renders samples. A template may be written for one secret alone.
    fn try_out(&self) -> Result<(), TemplateError> {
        let (pool, node) = (&"pool".into(), &"ehos-1".into());
        let (uid_domain, trust_domain) = ("example.org", "example.org");
        match self.kind {
            Kind::Base => self.fits(&self.render_base()?),
            Kind::Master => {
                self.fits(&self.render_master(&MasterFacts { pool, node, uid_domain, trust_domain })?)
            }
            Kind::Execute => {
                let (token, password) = (SecretString::from("token"), SecretString::from("password"));
                let secrets = [Secret::Token(&token), Secret::Password(&password)];
                let either =
                    self.files.is_some() && secrets.iter().all(|secret| !self.used.contains(secret.tag()));
                let mut first = None;
                let mut works = false;
                for secret in secrets.into_iter().filter(|secret| either || self.used.contains(secret.tag()))
                {
                    for gpus in [0, 1] {
                        let facts = NodeFacts {
                            pool,
                            node,
                            cloud: &"cloud".into(),
                            flavor: &"flavor".into(),
                            gpus,
                            host_ip: "192.0.2.1",
                            uid_domain,
                            trust_domain,
                            secret,
                            update_interval: Duration::from_mins(1),
                        };
                        match self.render_node(&facts).and_then(|text| self.fits(&text)) {
                            Ok(()) => works = true,
                            Err(error @ TemplateError::Secret { .. }) => first = first.or(Some(error)),
                            Err(error) => return Err(error),
                        }
                    }
                }
                match first {
                    Some(error) if !works => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Told when it is read, not with the first server.
    fn fits(&self, text: &SecretString) -> Result<(), TemplateError> {
        pack(&self.name, text, &[]).map(drop)
    }

    fn invalid(&self, problems: Vec<Problem>) -> TemplateError {
        TemplateError::Invalid { template: self.name.clone(), problems }
    }
}

/// Says whether a template is jinja.
fn check_head(text: &str) -> Result<bool, Problem> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let is_jinja = first.starts_with("## template:") && first["## template:".len()..].trim() == "jinja";
    let (line, first) = if is_jinja { (2, lines.next().unwrap_or_default().trim_end()) } else { (1, first) };
    if first != "#cloud-config" {
        let after = if is_jinja { ", after ## template: jinja" } else { "" };
        let what =
            format!("expected #cloud-config alone on the {} line{after}", ["first", "second"][line - 1]);
        return Err(Problem::at(line, 1, what));
    }
    Ok(is_jinja)
}

/// What stands for a tag of the old form in a template of today.
fn today(kind: Kind, old: Old) -> String {
    match (kind, old.tag) {
        // HTCondor's own word for it: nobody knows the address of a master before it is made.
        (Kind::Master, "host_ip") => "$(IP_ADDRESS)".to_owned(),
        (_, tag) => format!("{{{{{tag}}}}}"),
    }
}

/// What a tag of the old form becomes where there is no template engine.
fn in_words(kind: Kind, old: Old, values: &Value) -> String {
    match values.get(old.tag).and_then(Value::as_str) {
        Some(value) => value.to_owned(),
        None => today(kind, old),
    }
}

/// Lists what the rest of EHOS relies on and `text` has not; our own files bring some of it.
fn unwise(kind: Kind, text: &str, with_files: bool) -> Vec<String> {
    let has =
        |word: &str| text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(word));
    let ours = |word: &str| with_files && matches!(word, "MAXJOBRETIREMENTTIME" | "EhosNode" | "EVENT_LOG");
    kind.wanted()
        .iter()
        .filter(|(word, _)| !has(word) && !ours(word))
        .map(|(word, why)| format!("{word:?} is not in it: {why}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BASE_YAML, EXECUTE_YAML, MASTER_YAML, Place};

    const TOKEN: &str = "aaa.bbb-_.ccc";

    /// The least that is valid, before the lines of a test.
    const LEAST: &str = "#cloud-config\nhostname: {{node}}\nruncmd: [[join, {{host_ip}}, {{token}}]]\n# MAXJOBRETIREMENTTIME EhosNode\n";

    /// As the execute.yaml of the Python EHOS was, shortened.
    const OLD: &str = "#cloud-config\nfinal_message: \"The EHOS vm is up after $UPTIME seconds\"\nwrite_files:\n-   \
                       content: |\n        CONDOR_HOST = {master_ip}\n        COLLECTOR_NAME = $(CONDOR_HOST)\n        \
                       UID_DOMAIN = {uid_domain}\n    path: /etc/condor/config.d/00personal_condor.config\nruncmd:\n  - \
                       systemctl start condor\n";

    fn parse(more: &str) -> Result<Template, TemplateError> {
        Template::parse(Kind::Execute, "t.yaml", &format!("{LEAST}{more}"))
    }

    fn message<T: fmt::Debug>(result: Result<T, TemplateError>) -> String {
        result.unwrap_err().to_string()
    }

    fn render(template: &Template, gpus: u32, token: &str) -> Result<String, TemplateError> {
        render_with(template, gpus, Secret::Token(&token.into()))
    }

    fn render_with(template: &Template, gpus: u32, secret: Secret<'_>) -> Result<String, TemplateError> {
        let facts = NodeFacts {
            pool: &"pool".into(),
            node: &"n1".into(),
            cloud: &"bergen".into(),
            flavor: &"m1.medium".into(),
            gpus,
            host_ip: "192.0.2.7",
            uid_domain: "example.org",
            trust_domain: "example.org",
            secret,
            update_interval: Duration::from_mins(1),
        };
        template.render_node(&facts).map(|text| text.expose_secret().to_owned())
    }

    #[test]
    fn what_cannot_be_filled_is_an_error_with_its_place() {
        for (more, expected, row) in [
            (
                "fqdn: {{nod}}\n",
                "t.yaml:5:7: unknown tag nod; did you mean node?; known for an execute node are pool, node, cloud",
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
            (
                "a: {uid_domain} {{x}}\n",
                "t.yaml:5:17: unknown tag x;",
                "behind a tag of the old form, where columns are shifted",
            ),
            ("a: {uid_domain} {{x\n", "t.yaml:", "the same, not closed"),
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
        let message = message(Template::parse(
            Kind::Execute,
            "t.yaml",
            "#cloud-config\na: {{x}}\nb: {host}\nc: {{y}}\n",
        ));
        let starts: Vec<_> = message.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(starts, ["t.yaml:2:4:", "t.yaml:4:4:", "t.yaml:", "t.yaml:", "t.yaml:"]);
        for missing in ["node", "host_ip", "token or password"] {
            assert!(message.contains(&format!("the tag {missing} is missing")), "{message}");
        }
    }

    #[test]
    fn a_template_of_the_old_form_joins() {
        let template = Template::parse(Kind::Execute, "old.yaml", OLD).unwrap();
        let warnings = template.warnings().join("\n");
        for expected in [
            "{master_ip} in line 5 is a tag of the old form; write {{host_ip}}",
            "{uid_domain} in line 7 is a tag of the old form; write {{uid_domain}}",
            "so the files of execute.yaml are put into it",
            "\"manage_etc_hosts\" is not in it",
        ] {
            assert!(warnings.contains(expected), "{expected}: {warnings}");
        }
        assert!(!warnings.contains("EhosNode"), "our files bring it: {warnings}");
        let text = render(&template, 0, TOKEN).unwrap();
        let yaml: Value = serde_saphyr::from_str(&text).unwrap();
        let files = yaml["write_files"].as_array().unwrap();
        let paths: Vec<_> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
        assert_eq!(
            paths,
            [
                "/etc/condor/config.d/90-ehos.conf",
                "/etc/condor/tokens.d/ehos",
                "/etc/condor/config.d/00personal_condor.config"
            ]
        );
        assert!(files[0]["content"].as_str().unwrap().contains("EhosNode = \"n1\"\n"));
        assert_eq!(
            files[2]["content"],
            "CONDOR_HOST = 192.0.2.7\nCOLLECTOR_NAME = $(CONDOR_HOST)\nUID_DOMAIN = example.org\n"
        );
        assert_eq!(yaml["runcmd"][0], "systemctl start condor");
    }

    #[test]
    fn the_place_for_files_is_taken_whatever_else_is_told() {
        let text = format!("{LEAST}write_files:\n#{{write_files}}\n");
        let template = Template::parse(Kind::Execute, "t.yaml", &text).unwrap();
        let warnings = template.warnings();
        assert!(warnings[0].starts_with("#{write_files} in line 6 is a tag of the old form"), "{warnings:?}");
        let yaml: Value = serde_saphyr::from_str(&render(&template, 0, TOKEN).unwrap()).unwrap();
        assert_eq!(yaml["write_files"].as_array().unwrap().len(), 2);
        let message =
            message(Template::parse(Kind::Execute, "t.yaml", &text.replace("files:\n#", "files: [] # x\n#")));
        assert!(message.starts_with("t.yaml:5:1: write_files is not a list with"), "{message}");
    }

    #[test]
    fn a_template_is_for_the_secret_that_it_names() {
        let password = SecretString::from("hunter2");
        let with = |text: &str, secret| {
            render_with(&Template::parse(Kind::Execute, "t.yaml", text).unwrap(), 0, secret)
        };
        let old = format!("{OLD}  - condor_store_cred -p {{password}} -f x\n");
        let text = with(&old, Secret::Password(&password)).unwrap();
        assert!(text.contains("\n  - condor_store_cred -p hunter2 -f x\n"), "{text}");
        assert!(text.contains("path: /etc/condor/passwords.d/POOL\n") && !text.contains("tokens.d/ehos"));
        let token = SecretString::from(TOKEN);
        let message = message(with(&old, Secret::Token(&token)));
        assert!(
            message.starts_with("t.yaml: the tag password cannot be filled: with authentication: idtokens"),
            "{message}"
        );
        let error = with(LEAST, Secret::Password(&password)).unwrap_err();
        assert!(matches!(error, TemplateError::Secret { tag: "token", .. }), "{error}");
        let both = LEAST.replace("{{token}}", "{{#if token}}{{token}}{{else}}{{password}}{{/if}}");
        assert!(with(&both, Secret::Token(&token)).unwrap().contains(TOKEN));
        assert!(with(&both, Secret::Password(&password)).unwrap().contains("hunter2"));
        let ours = with(EXECUTE_YAML, Secret::Password(&password)).unwrap();
        assert!(
            ours.contains("SEC_DEFAULT_AUTHENTICATION_METHODS = FS, PASSWORD\n")
                && ours.contains("\"ttjQm7vfjA==\"")
        );
        let neither =
            Template::parse(Kind::Execute, "t", &LEAST.replace("{{token}}", "{{token}}{{password}}"));
        assert!(matches!(neither, Err(TemplateError::Secret { .. })), "{neither:?}");
    }

    #[test]
    fn jinja_keeps_its_braces() {
        let jinja = |text: &str| Template::parse(Kind::Execute, "t.yaml", text);
        let text = format!("## template: jinja\n{OLD}  - echo {{{{ v1.region }}}} {{uid_domain}}\n");
        let rendered = render(&jinja(&text).unwrap(), 0, TOKEN).unwrap();
        assert!(rendered.starts_with("## template: jinja\n#cloud-config\n"), "{rendered}");
        assert!(rendered.contains("\n  - echo {{ v1.region }} example.org\n"), "{rendered}");
        assert!(
            rendered.contains("EhosNode = \"n1\"") && rendered.contains("path: /etc/condor/tokens.d/ehos")
        );
        for (text, expected, row) in [
            (
                "## template: jinja\nhostname: a\n".to_owned(),
                "t.yaml:2:1: expected #cloud-config alone on the second",
                "no head",
            ),
            (
                "## template: jinja\n#cloud-config\na: {{node}}\n".to_owned(),
                "t.yaml: the tag node is missing",
                "today's tags",
            ),
            (
                format!("## template: jinja\n{OLD}a: [\n"),
                "t.yaml: line ",
                "YAML, where jinja has nothing to do",
            ),
            (
                format!("## template: jinja\n{OLD}  - echo {{password}}\n"),
                "t.yaml: the tag password cannot be filled",
                "a secret",
            ),
        ] {
            let message = message(jinja(&text).and_then(|template| render(&template, 0, TOKEN)));
            assert!(message.starts_with(expected), "{row}: {message}");
        }
        let message = message(Template::parse(
            Kind::Base,
            "t.yaml",
            "## template: jinja\n#cloud-config\na: {uid_domain}\n",
        ));
        assert_eq!(message, "t.yaml:3:4: a base server is not told any {uid_domain}");
    }

    #[test]
    fn each_kind_has_tags_of_its_own() {
        for (kind, text, expected, row) in [
            (
                Kind::Base,
                "a: {{node}}\n",
                "t.yaml:2:4: unknown tag node; known for a base server are none",
                "no tag",
            ),
            (
                Kind::Base,
                "a: {{b64 token}}\n",
                "t.yaml:2:4: unknown tag token; known for a base",
                "no secret",
            ),
            (
                Kind::Base,
                "a: {master_ip}\n",
                "t.yaml:2:4: unknown tag host_ip; known for a base",
                "none of old",
            ),
            (
                Kind::Master,
                "a: {{token}}\n",
                "t.yaml:2:4: unknown tag token; known for a master are pool, node",
                "a secret",
            ),
            (
                Kind::Master,
                "a: {{node}}\n",
                "t.yaml: the tag uid_domain is missing; without it no server becomes a master",
                "less",
            ),
        ] {
            let message = message(Template::parse(kind, "t.yaml", &format!("#cloud-config\n{text}")));
            assert!(message.starts_with(expected), "{row}: {message}");
        }
    }

    #[test]
    fn a_template_is_rendered_for_its_own_kind() {
        let base = Template::parse(Kind::Base, "base.yaml", BASE_YAML).unwrap();
        assert_eq!(base.warnings(), [""; 0]);
        assert_eq!(base.render_base().unwrap().expose_secret(), BASE_YAML, "by hand it is used as it is");
        assert_eq!(
            message(render(&base, 0, TOKEN)),
            "base.yaml is a template for a base server, not for an execute node"
        );
        let master = Template::parse(Kind::Master, "master.yaml", MASTER_YAML).unwrap();
        assert_eq!(master.kind(), Kind::Master);
        assert_eq!(master.warnings(), [""; 0]);
        let (pool, node) = (&"ehos@x".into(), &"ehos-master-1".into());
        let facts = MasterFacts { pool, node, uid_domain: "example.org", trust_domain: "example.org" };
        let text = master.render_master(&facts).unwrap();
        assert!(text.expose_secret().contains("\n      COLLECTOR_NAME = ehos@x\n"));
        let facts = MasterFacts { uid_domain: "a b", ..facts };
        assert!(matches!(master.render_master(&facts), Err(TemplateError::Value { tag: "uid_domain", .. })));
        assert!(base.render_master(&facts).is_err());
    }

    #[test]
    fn a_master_of_the_old_form_gets_our_files_where_it_asked_for_files() {
        let text = "#cloud-config\nwrite_files:\n-   path: /x\n    content: CONDOR_HOST = {master_ip}\n#{write_files}\n";
        let template = Template::parse(Kind::Master, "t.yaml", text).unwrap();
        let (pool, node) = (&"ehos@x".into(), &"ehos-master-1".into());
        let facts = MasterFacts { pool, node, uid_domain: "example.org", trust_domain: "example.org" };
        let yaml: Value =
            serde_saphyr::from_str(template.render_master(&facts).unwrap().expose_secret()).unwrap();
        let files = yaml["write_files"].as_array().unwrap();
        assert_eq!((files.len(), &files[2]["content"]), (3, &"CONDOR_HOST = $(IP_ADDRESS)".into()));
        assert_eq!(files[1]["path"], "/usr/local/sbin/ehos-master");
    }

    #[test]
    fn what_cloud_init_would_not_understand_is_an_error() {
        for (text, expected, row) in [
            ("#!/bin/sh\n".to_owned(), "t.yaml:1:1: expected #cloud-config", "a script"),
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
            let message = message(Template::parse(Kind::Execute, "t.yaml", &text));
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
        let crlf = Template::parse(Kind::Execute, "t.yaml", &LEAST.replace('\n', "\r\n")).unwrap();
        assert!(render(&crlf, 0, TOKEN).unwrap().contains("hostname: n1\r\n"));
        let literal = parse("bootcmd: ['docker ps --format \\{{.Names}}']\n").unwrap();
        assert!(render(&literal, 0, TOKEN).unwrap().contains("--format {{.Names}}']"));
    }

    #[test]
    fn a_missing_rule_is_a_warning() {
        assert_eq!(parse("").unwrap().warnings().len(), 4, "a comment does not count");
        assert_eq!(Template::parse(Kind::Execute, "execute.yaml", EXECUTE_YAML).unwrap().warnings(), [""; 0]);
    }

    #[test]
    fn gpus_are_looked_for_where_there_are_some() {
        let template = Template::parse(Kind::Execute, "execute.yaml", EXECUTE_YAML).unwrap();
        let (without, with) = (render(&template, 0, TOKEN).unwrap(), render(&template, 2, TOKEN).unwrap());
        assert!(!without.contains("use feature:GPUs") && without.contains("\n      STARTD_DETECT_GPUS =\n"));
        assert!(with.contains("\n      use feature:GPUs\n") && !with.contains("STARTD_DETECT_GPUS"));
    }

    #[test]
    fn what_nova_would_not_take_is_told_when_it_is_read() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("{state:08x}")
        });
        let message = message(parse(&format!("# {}\n", noise.take(20_000).collect::<String>())));
        assert!(message.starts_with("t.yaml: the user-data is too large: 160"), "{message}");
        assert!(parse(&format!("# {}\n", "x".repeat(60_000))).is_ok(), "it is compressed");
    }

    #[test]
    fn the_error_of_a_missing_part_has_no_place() {
        let Err(TemplateError::Invalid { problems, .. }) =
            Template::parse(Kind::Execute, "t", "#cloud-config\n")
        else {
            panic!("expected Invalid");
        };
        assert_eq!(problems[0].place, Place::Whole);
    }
}
