//! Finds a configuration file when no path is given.
//!
//! Deliberately looks for the file only; whether it is right is for [`crate::load`].

use std::path::PathBuf;

/// A file that is in none of the usual folders.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotFound {
    /// What was looked for.
    pub name: String,
    /// Where, in this order.
    pub folders: Vec<PathBuf>,
}

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no {} in any of these folders:", self.name)?;
        self.folders.iter().try_for_each(|folder| write!(f, "\n  {}", folder.display()))?;
        f.write_str("\ngive its path, or start from etc/ehos.yaml.example")
    }
}

/// Finds `name`, `ehos.yaml` for example, in the usual folders and beside the program's own prefix; the first hit wins.
///
/// All folders named `etc` come before those named `share`, so that an altered copy wins over the shipped one.
///
/// # Errors
/// Where it is in none of them.
pub fn find(name: &str) -> Result<PathBuf, NotFound> {
    find_in(name, &ehos_model::folders(std::env::current_exe().ok().as_deref()))
}

/// Finds `name` in the first of the folders that has it.
///
/// # Errors
/// Where none has it.
pub fn find_in(name: &str, folders: &[PathBuf]) -> Result<PathBuf, NotFound> {
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| NotFound { name: name.to_owned(), folders: folders.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_has_it_wins() {
        let root = tempfile::tempdir().unwrap();
        let at = |folder: &str| root.path().join(folder);
        let folders = ["a", "b", "c"].map(at);
        let missing = find_in("ehos.yaml", &folders).unwrap_err();
        assert_eq!(missing.folders, folders, "the error lists where it looked");
        assert!(missing.to_string().contains(&at("b").display().to_string()));
        for folder in ["c", "b"] {
            std::fs::create_dir_all(at(folder)).unwrap();
            std::fs::write(at(folder).join("ehos.yaml"), "").unwrap();
            assert_eq!(find_in("ehos.yaml", &folders).unwrap(), at(folder).join("ehos.yaml"));
        }
        std::fs::create_dir_all(at("a/ehos.yaml")).unwrap();
        assert_eq!(find_in("ehos.yaml", &folders).unwrap(), at("b/ehos.yaml"), "a folder is no file");
    }
}
