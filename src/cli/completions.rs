//! `vyrox completions`: what to type next, for shells.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{failure::Failure, out::Out};

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Your shell
    pub shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  vyrox completions bash > ~/.local/share/bash-completion/completions/vyrox
  vyrox completions fish > ~/.config/fish/completions/vyrox.fish";

/// Prints the script that completes `command`.
pub fn run(args: &CompletionsArgs, mut command: Command, out: &mut Out) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "vyrox", &mut script);
    out.bytes(&script)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::{super::out::tests::Paper, *};
    use crate::cli::Cli;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for &shell in Shell::value_variants() {
            let paper = Paper::default();
            run(
                &CompletionsArgs { shell },
                Cli::command(),
                &mut paper.out(false),
            )
            .unwrap();
            assert!(paper.text().contains("simulate"), "{shell}");
        }
    }
}
