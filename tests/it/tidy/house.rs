//! The repository as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Kinds of files that are read.
const ENDINGS: &[&str] = &[
    "rs", "toml", "md", "yml", "yaml", "example", "run", "Makefile", "sh",
];

/// Directories that hold nothing of ours.
const FOREIGN: &[&str] = &["target", "vyrox-data", "node_modules"];

/// All text files of the repository.
pub(super) struct House {
    files: Vec<File>,
}

/// One of them.
pub(super) struct File {
    /// From the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl House {
    pub(super) fn open() -> Self {
        let mut files = Vec::new();
        collect(&root(), &mut files);
        files.sort_by(|one, other| one.path.cmp(&other.path));
        assert!(
            files.iter().any(|file| file.path == "Cargo.toml"),
            "this is not the root"
        );
        Self { files }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    pub(super) fn with_ending(&self, ending: &str) -> impl Iterator<Item = &File> {
        let ending = format!(".{ending}");
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(&ending))
    }

    pub(super) fn read(&self, path: &str) -> &str {
        let file = self.files.iter().find(|file| file.path == path);
        &file
            .unwrap_or_else(|| panic!("{path} is missing; restore it"))
            .text
    }
}

/// Where the repository is.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a source file without its comments, numbered from 1.
pub(super) fn code_only(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    numbered.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

fn collect(directory: &Path, files: &mut Vec<File>) {
    let entries = fs::read_dir(directory).expect("a directory that can be read");
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let hidden = name.starts_with('.') && name != ".ci";
        if path.is_dir() {
            if !hidden && !FOREIGN.contains(&name) {
                collect(&path, files);
            }
        } else if ENDINGS
            .iter()
            .any(|ending| name.rsplit('.').next() == Some(*ending))
        {
            let text = fs::read_to_string(&path).expect("UTF-8 text");
            let path = path.strip_prefix(root()).expect("a path below the root");
            files.push(File {
                path: path.to_str().expect("UTF-8").replace('\\', "/"),
                text,
            });
        }
    }
}
