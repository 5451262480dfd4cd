//! Finds the template to use: the operator's, else one in the usual folders, else the one in the program.
//!
//! Deliberately does not check it; that is for [`crate::Template::parse`].

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Kind, TemplateError};

/// The template for execute nodes that EHOS ships.
pub const EXECUTE_YAML: &str = include_str!("../../../share/execute.yaml");

/// The template for the servers that images are made of.
pub const BASE_YAML: &str = include_str!("../../../share/base.yaml");

/// The template for the pool's master.
pub const MASTER_YAML: &str = include_str!("../../../share/master.yaml");

/// What is compiled into the program; the templates of old systems are files in `share` alone.
const SHIPPED: [(Kind, &str); 3] =
    [(Kind::Base, BASE_YAML), (Kind::Execute, EXECUTE_YAML), (Kind::Master, MASTER_YAML)];

/// Where a template came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file that `userdata_file` names.
    Configured(PathBuf),
    /// A file in one of the usual folders.
    Folder(PathBuf),
    /// Compiled into the program.
    Shipped(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(path) | Self::Folder(path) => path.display().fmt(f),
            Self::Shipped(name) => write!(f, "{name} (built in)"),
        }
    }
}

/// A template's text and where it came from.
#[derive(Clone)]
pub struct Found {
    /// Where from.
    pub origin: Origin,
    /// The text, not yet checked.
    pub text: String,
}

/// Shows the origin only: an operator's own template may hold secrets.
impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Finds the template `name`, `execute.yaml` or `centos7/base.yaml` for example; `userdata_file` goes before every folder.
///
/// All folders named `etc` come before those named `share`, so that an altered copy wins over the shipped one.
///
/// # Errors
/// [`TemplateError::Unreadable`] where the file that was named, or the first that was found, cannot be read;
/// [`TemplateError::NotFound`] where there is none.
pub fn find_template(name: &str, userdata_file: Option<&Path>) -> Result<Found, TemplateError> {
    find_in(name, userdata_file, ehos_model::folders(std::env::current_exe().ok().as_deref()))
}

fn find_in(name: &str, userdata_file: Option<&Path>, folders: Vec<PathBuf>) -> Result<Found, TemplateError> {
    if let Some(path) = userdata_file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TemplateError::Unreadable { path: path.to_owned(), source })?;
        return Ok(Found { origin: Origin::Configured(path.to_owned()), text });
    }
    for path in folders.iter().map(|folder| folder.join(name)) {
        match std::fs::read_to_string(&path) {
            Ok(text) => return Ok(Found { origin: Origin::Folder(path), text }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(source) => return Err(TemplateError::Unreadable { path, source }),
        }
    }
    match SHIPPED.into_iter().find(|(kind, _)| kind.file_name() == name) {
        Some((kind, text)) => Ok(Found { origin: Origin::Shipped(kind.file_name()), text: text.to_owned() }),
        None => Err(TemplateError::NotFound { name: name.to_owned(), folders }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};

    use super::*;

    #[test]
    fn the_first_folder_that_has_it_wins() {
        let root = tempfile::tempdir().unwrap();
        let at = |folder: &str| root.path().join(folder);
        let folders = || vec![at("a"), at("b"), at("c")];
        let found = |userdata_file: Option<&Path>| {
            find_in("execute.yaml", userdata_file, folders()).map(|found| (found.origin, found.text))
        };
        assert_eq!(found(None).unwrap(), (Origin::Shipped("execute.yaml"), EXECUTE_YAML.to_owned()));
        for folder in ["c", "b"] {
            create_dir_all(at(folder)).unwrap();
            write(at(folder).join("execute.yaml"), folder).unwrap();
            assert_eq!(
                found(None).unwrap(),
                (Origin::Folder(at(folder).join("execute.yaml")), folder.to_owned())
            );
        }
        let own = at("own.yaml");
        let error = found(Some(&own)).unwrap_err().to_string();
        assert!(error.contains("own.yaml"), "a named file is not replaced by another: {error}");
        write(&own, "own").unwrap();
        assert_eq!(found(Some(&own)).unwrap(), (Origin::Configured(own), "own".to_owned()));
        create_dir_all(at("a/execute.yaml")).unwrap();
        assert!(matches!(found(None), Err(TemplateError::Unreadable { .. })), "no file, and not passed over");
        for (name, text) in [("base.yaml", BASE_YAML), ("master.yaml", MASTER_YAML)] {
            assert_eq!(find_in(name, None, folders()).unwrap().text, text);
        }
        let error = find_in("centos7/base.yaml", None, folders()).unwrap_err().to_string();
        assert!(error.starts_with("no template centos7/base.yaml: looked in /"), "{error}");
        create_dir_all(at("c/centos7")).unwrap();
        write(at("c/centos7/base.yaml"), "old").unwrap();
        assert_eq!(find_in("centos7/base.yaml", None, folders()).unwrap().text, "old");
    }

    #[test]
    fn debug_shows_no_text() {
        let found = Found { origin: Origin::Shipped("execute.yaml"), text: "hunter2".into() };
        assert!(!format!("{found:?}").contains("hunter2"));
    }
}
