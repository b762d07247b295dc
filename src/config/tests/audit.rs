//! Settings of the signed log.

use super::{load_file, texts};

/// A list of commas alone counted as one of witnesses: a word was required, and nobody was there to give it.
#[test]
fn who_requires_a_witness_names_one() {
    for witnesses in ["", " ", ",", " ,\\n, "] {
        let (loaded, _) = load_file(&format!(
            "[audit]\nwitness_required = true\nwitnesses = \"{witnesses}\"\n"
        ));
        let errors = texts(loaded);
        assert!(
            errors
                .iter()
                .any(|error| error.contains("audit.witness_required: is true and")),
            "{witnesses:?}: {errors:#?}"
        );
    }
}
