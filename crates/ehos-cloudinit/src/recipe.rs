//! All that the nodes of a cloud are told at boot: the template and the administrator's own parts, ready to render.
//!
//! Deliberately one fingerprint for all of it: a node drifts whichever of them has changed.

use std::path::{Path, PathBuf};

use secrecy::SecretSlice;

use crate::{Kind, NodeFacts, Origin, Part, Template, TemplateError, find_template, fingerprint, pack};

/// What execute nodes are told.
#[derive(Clone, Debug)]
pub struct Recipe {
    origin: String,
    template: Template,
    parts: Vec<Part>,
    fingerprint: String,
    files: Vec<PathBuf>,
}

impl Recipe {
    /// Finds the template, reads the parts and checks both.
    ///
    /// # Errors
    /// As [`find_template`], [`Template::parse`] and [`Part::parse`]; [`TemplateError::Unreadable`] for a part.
    pub fn find(userdata_file: Option<&Path>, parts: &[PathBuf]) -> Result<Self, TemplateError> {
        let found = find_template(Kind::Execute.file_name(), userdata_file)?;
        let mut texts = vec![found.text.clone()];
        let mut read = Vec::new();
        for path in parts {
            let text = std::fs::read_to_string(path)
                .map_err(|source| TemplateError::Unreadable { path: path.clone(), source })?;
            read.extend(Part::parse(&path.display().to_string(), &text)?);
            texts.push(text);
        }
        let mut recipe = Self::of(&found.origin.to_string(), &found.text)?;
        if let Origin::Configured(path) | Origin::Folder(path) = found.origin {
            recipe.files.push(path);
        }
        recipe.files.extend_from_slice(parts);
        recipe.parts = read;
        recipe.fingerprint = fingerprint(&texts.join("\0"));
        Ok(recipe)
    }

    /// Takes a text for the template; for tests and for the embedded world.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn of(origin: &str, text: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            origin: origin.to_owned(),
            template: Template::parse(Kind::Execute, origin, text)?,
            parts: Vec::new(),
            fingerprint: fingerprint(text),
            files: Vec::new(),
        })
    }

    /// Where the template came from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Fingerprint of the template and the parts: SHA-256, 64 hexadecimal digits. Without parts it is the template's.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The files that were read, to be watched for changes.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What is allowed but unwise, to be logged once.
    pub fn warnings(&self) -> &[String] {
        self.template.warnings()
    }

    /// Renders the user-data of one node, with `more` parts behind the administrator's.
    ///
    /// # Errors
    /// As [`Template::render_node`] and [`pack`].
    pub fn render(&self, facts: &NodeFacts<'_>, more: &[Part]) -> Result<SecretSlice<u8>, TemplateError> {
        let parts: Vec<Part> = self.parts.iter().chain(more).cloned().collect();
        pack(&self.origin, &self.template.render_node(facts)?, &parts)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::write;

    use super::*;
    use crate::EXECUTE_YAML;

    #[test]
    fn every_text_counts_for_the_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(at("execute.yaml"), EXECUTE_YAML).unwrap();
        write(at("a.sh"), "#!/bin/sh\n").unwrap();
        let of = |parts: &[&str]| {
            let parts: Vec<_> = parts.iter().map(|name| at(name)).collect();
            Recipe::find(Some(&at("execute.yaml")), &parts).map(|recipe| recipe.fingerprint().to_owned())
        };
        let alone = of(&[]).unwrap();
        assert_eq!(alone, fingerprint(EXECUTE_YAML), "what sha256sum says of the file");
        assert_eq!(
            alone,
            Recipe::of("built in", EXECUTE_YAML).unwrap().fingerprint(),
            "wherever it came from"
        );
        let with = of(&["a.sh"]).unwrap();
        write(at("a.sh"), "#!/bin/sh\ntrue\n").unwrap();
        let changed = of(&["a.sh"]).unwrap();
        assert!(alone != with && with != changed, "{alone} {with} {changed}");
        let error = of(&["nowhere.sh"]).unwrap_err().to_string();
        assert!(error.contains("nowhere.sh"), "{error}");
        write(at("a.sh"), "no first line\n").unwrap();
        assert!(of(&["a.sh"]).unwrap_err().to_string().contains("a.sh:1:1: expected #cloud-config"));
    }
}
